"""The study of trainings as tables: what is there with its intervals, and by name what is missing.

Every figure is a mean over seeds with a 95 % interval over seeds and prompts (benchmarks.two_level); the number of
seeds that it rests on stands beside it. With one seed there is no interval, and the table says so.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import mean

from benchmarks.cells import Facts, Study
from benchmarks.study_curves import (
    Curve,
    Prompt,
    best_gain,
    curve_of_answers,
    curve_of_looks,
    curve_of_picking,
    distances,
    fall_from_best,
    gain_at,
    gain_at_end,
    gains,
    join_proxies,
    means,
)
from benchmarks.study_settings import ABLATIONS, RULES, StudySettings
from benchmarks.two_level import estimate_over_seeds
from policy.scaling import Method as Form
from policy.scaling import fit_other_seeds

MISSING = "missing"


def report_text(study: Study, settings: StudySettings) -> str:
    """The whole report, as Markdown."""
    parts = [
        ("Reward models", _reward_models(study, settings)),
        ("Gold gained by PPO and by best of n", _grid(study, settings)),
        ("Forms, fitted to all seeds but one and judged by that one", _forms(study, settings)),
        ("Ensembles of the reward models of the fewest rankings", _ensembles(study, settings)),
        ("Methods on the same judgements", _methods(study, settings)),
        ("Ablations of PPO", _ablations(study, settings)),
    ]
    lines = [f"# Study of trainings: the {settings.world} world", ""]
    for title, table in parts:
        lines += [f"## {title}", "", *table, ""]
    missing = study.missing(list(study.cells))
    lines += ["## Missing", "", f"{len(missing)} of {len(study.cells)} cells."]
    command = f"python -m benchmarks.training_study --world {settings.world} --out DIR --cell NAME"
    if missing:
        lines += [f"Each is made by `{command}`:", "", *(f"- {words}" for words in _joined(missing))]
    return "\n".join(lines) + "\n"


def _joined(names: Sequence[str]) -> list[str]:
    """Cells that differ in their seed alone on one line: `ppo-40` of seeds 0, 1."""
    seeds: dict[str, list[str]] = {}
    for name in names:
        stem, _, seed = name.rpartition("-")
        seeds.setdefault(stem if stem and seed.isdigit() else name, []).append(seed)
    return [f"`{stem}-N`, N = {', '.join(own)}" if own[0].isdigit() else f"`{stem}`" for stem, own in seeds.items()]


def _reward_models(study: Study, settings: StudySettings) -> Iterator[str]:
    yield from _head("rankings", "seeds", "pairs in order, mean (each)", "the longer one wins")
    for num in settings.rankings:
        found = _found(study, [f"reward-{num}-{seed}" for seed in settings.seeds])
        if not found:
            yield _row(num, MISSING, "", "")
            continue
        shares = [one["accuracy"]["value"] for one in found.values()]
        each = ", ".join(f"{share:.3f}" for share in shares)
        yield _row(num, len(found), f"{mean(shares):.3f} ({each})", f"{_first(found)['longer_baseline']['value']:.3f}")


def _grid(study: Study, settings: StudySettings) -> Iterator[str]:
    yield from _head("", "seeds", "best", "end", "end less best", "√KL at the end", "proxy gained", "tokens", "unended")
    for words, curves, looks in _grid_rows(study, settings):
        if not curves:
            yield _row(words, MISSING, *[""] * 7)
            continue
        yield _row(
            words,
            len(curves),
            *(_estimate(curves, figure) for figure in (best_gain, gain_at_end, fall_from_best)),
            f"{mean(distances(curve)[-1] for curve in curves):.2f}",
            f"{mean(gains(curve, 'proxy')[-1] for curve in curves):+.2f}",
            _change(looks, "tokens", ".1f"),
            _change(looks, "unended_share", ".2f"),
        )


def _grid_rows(study: Study, settings: StudySettings) -> Iterator[tuple[str, list[Curve], list[Facts]]]:
    for num in settings.rankings:
        runs = list(_found(study, [f"ppo-{num}-{seed}" for seed in settings.seeds]).values())
        yield f"PPO, {num} rankings", list(map(curve_of_looks, runs)), runs
    runs = list(_found(study, [f"length-only-{seed}" for seed in settings.seeds]).values())
    yield f"PPO, length only ({settings.control_tokens} tokens)", list(map(curve_of_looks, runs)), runs
    for num in settings.rankings:
        yield f"best of n, {num} rankings", _picked(study, settings, num), []
    samples = study.facts("best-of-n")
    if samples is not None:
        length = [[1 - abs(one / settings.control_tokens - 1) for one in row] for row in samples["tokens"]]
        yield "best of n, length only", [curve_of_picking(length, samples["gold"])], []


def _forms(study: Study, settings: StudySettings) -> Iterator[str]:
    yield from _head("", "seeds", "α", "β", "peak at √KL", "error on the seed left out", "… of a constant")
    for num in settings.rankings:
        trained = list(map(curve_of_looks, _found(study, [f"ppo-{num}-{seed}" for seed in settings.seeds]).values()))
        rows: tuple[tuple[str, Form, list[Curve]], ...] = (
            ("PPO", "ppo", trained),
            ("best of n", "best_of_n", _picked(study, settings, num)),
        )
        for words, form, curves in rows:
            fits = fit_other_seeds(form, list(map(distances, curves)), list(map(gains, curves)))
            if not fits:
                yield _row(f"{words}, {num} rankings", f"{len(curves)}: two are needed", *[""] * 5)
                continue
            furthest = max(distances(curve)[-1] for curve in curves)
            peaks = [one.fit.peak for one in fits]
            seen = [peak for peak in peaks if peak is not None and peak <= 2 * furthest]
            numbers = (
                mean(values)
                for values in zip(*((f.fit.alpha, f.fit.beta, f.error, f.constant_error) for f in fits), strict=True)
            )
            alpha, beta, error, constant = (f"{number:.3f}" for number in numbers)
            peak = f"{mean(seen):.2f}" if len(seen) == len(peaks) else f"in sight in {len(seen)} of {len(peaks)}"
            yield _row(f"{words}, {num} rankings", len(curves), alpha, beta, peak, error, constant)


def _ensembles(study: Study, settings: StudySettings) -> Iterator[str]:
    num = settings.rankings[0]
    yield from _head("", "seeds", "best", "end", "end less best", "√KL at the end")
    rows = [("one reward model", _found(study, [f"ppo-{num}-{seed}" for seed in settings.seeds]))]
    rows += [(rule, _found(study, [f"ensemble-{rule}-{seed}" for seed in settings.seeds])) for rule in RULES]
    for words, found in rows:
        curves = [curve_of_looks(one) for one in found.values()]
        yield _curve_row(f"PPO, {words}", curves)
    scores = _found(study, [f"best-of-n-{num}-{seed}" for seed in settings.seeds])
    samples = study.facts("best-of-n")
    for rule in RULES:
        if samples is None or len(scores) < len(settings.seeds):
            yield _curve_row(f"best of n, {rule}", [])
            continue
        joined = join_proxies([one["proxy"] for one in scores.values()], rule)
        yield _curve_row(f"best of n, {rule}", [curve_of_picking(joined, samples["gold"])])


def _methods(study: Study, settings: StudySettings) -> Iterator[str]:
    targets = [f"gold at a KL of {target:g}" for target in settings.kl_targets]
    curves = {key: _answered(study, settings, key) for key in settings.methods}
    seconds = {key: _cpu_of(study, settings, key) for key in settings.methods}
    common = min((max(own[0]) for own in seconds.values() if own), default=0.0)
    yield from _head("", "seeds", *targets, f"gold after {common:.0f} CPU s", "gold, KL and CPU s of the most")
    for key in settings.methods:
        own = curves[key]
        if not own:
            yield _row(key, MISSING, *[""] * (len(targets) + 2))
            continue
        at_kl = [
            _estimate(own, partial(gain_at, target=target, along=partial(means, name="kl")))
            for target in settings.kl_targets
        ]
        at_cpu = MISSING
        if len(seconds[key]) == len(own):
            spent = [mean(column) for column in zip(*seconds[key], strict=True)]
            at_cpu = _estimate(own, partial(gain_at, target=common, along=lambda _, spent=spent: spent))  # type: ignore[misc]
        last = f"{_estimate(own, gain_at_end)}, {mean(means(one, 'kl')[-1] for one in own):.2f} nats"
        last += f", {mean(one[-1] for one in seconds[key]):.0f} s" if seconds[key] else ""
        yield _row(key, len(own), *at_kl, at_cpu, last)


def _ablations(study: Study, settings: StudySettings) -> Iterator[str]:
    yield from _head("", "seeds", "best", "end", "end less best", "√KL at the end", "tokens", "unended")
    for ablation in ABLATIONS:
        prefix = f"ablation-{ablation}" if ABLATIONS[ablation] else f"ppo-{settings.middle}"
        found = list(_found(study, [f"{prefix}-{seed}" for seed in settings.seeds]).values())
        row = _curve_row(ablation.replace("-", " "), list(map(curve_of_looks, found)))
        yield f"{row} {_change(found, 'tokens', '.1f')} | {_change(found, 'unended_share', '.2f')} |"


def _curve_row(words: str, curves: list[Curve]) -> str:
    if not curves:
        return _row(words, MISSING, *[""] * 4)
    figures = (_estimate(curves, figure) for figure in (best_gain, gain_at_end, fall_from_best))
    return _row(words, len(curves), *figures, f"{mean(distances(curve)[-1] for curve in curves):.2f}")


def _picked(study: Study, settings: StudySettings, num: int) -> list[Curve]:
    samples = study.facts("best-of-n")
    scores = _found(study, [f"best-of-n-{num}-{seed}" for seed in settings.seeds])
    return [curve_of_picking(one["proxy"], samples["gold"]) for one in scores.values()] if samples else []


def _answered(study: Study, settings: StudySettings, key: str) -> list[Curve]:
    """One curve a seed whose amounts are all answered; the start's own answers are best-of-n's samples."""
    samples = study.facts("best-of-n")
    curves = []
    for seed in settings.seeds:
        found = _found(study, [f"answers-{key}-{amount}-{seed}" for amount in settings.methods[key].amounts])
        if samples is not None and len(found) == len(settings.methods[key].amounts):
            curves.append(curve_of_answers(samples, list(found.values())))
    return curves


def _cpu_of(study: Study, settings: StudySettings, key: str) -> list[list[float]]:
    """A seed's CPU seconds at every amount, from 0; a reward model's training included where there is one."""
    seconds = []
    for seed in settings.seeds:
        names = [f"train-{key}-{amount}-{seed}" for amount in settings.methods[key].amounts]
        reward = study.facts(f"reward-{settings.rankings[-1]}-{seed}")
        found = [one["cpu_seconds"] for one in _found(study, names).values()]
        before = 0.0 if key == "dpo" else reward and reward["cpu_seconds"]
        if len(found) == len(names) and before is not None and None not in found:
            seconds.append([0.0, *(before + one for one in found)])
    return seconds


def _estimate(curves: Sequence[Curve], figure: Callable[[Sequence[Prompt]], float | None]) -> str:
    return estimate_over_seeds(curves, figure, same_prompts=True, rounds=400).text()


def _found(study: Study, names: Sequence[str]) -> dict[str, Facts]:
    return {name: facts for name in names if (facts := study.facts(name)) is not None}


def _first(found: dict[str, Facts]) -> Facts:
    return next(iter(found.values()))


def _change(runs: Sequence[Facts], name: str, form: str) -> str:
    """A watched figure at the start and at the end, means over seeds."""
    if not runs:
        return ""
    ends = (mean(run["looks"][place][name] for run in runs) for place in (0, -1))
    return " → ".join(format(one, form) for one in ends)


def _head(*cells: str) -> Iterator[str]:
    yield _row(*cells)
    yield "|" + "---|" * len(cells)


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"
