"""Over-optimisation in small, after Gao et al. 2022: proxy and gold scores against the distance that picking
or PPO puts between a policy and its start.

One set of samples serves best-of-n for all proxies; each proxy then trains a policy by PPO, which the gold
preference watches on held-out prompts. The gold preference is a larger reward model or a program; nothing here
knows what it likes. A reward that knows length only runs beside, as a control. JSON and one HTML file.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import sqrt
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from language.checkpoints import load_tokenizer
from language.commandline import Precision, run
from language.model_kinds import PolicyDirectory, RewardModelDirectory
from language.options import KeepsWork, OptionError, require_positive
from language.parallel import ALONE, Sharing, begin_sharing
from language.repeating import keep_options, kept_options
from policy.best_of_n import SAMPLES_FILE, BestOfNConfig, ScoredSamples, best_of_n_mean, kl_of_best_of
from policy.best_of_n import main as sample_best_of_n
from policy.inputs import require_processes
from policy.judging import CommandJudge, Judge, Scorer, load_judge
from policy.material import load_material, make_watch
from policy.overoptimisation_report import report_html
from policy.ppo import build_learners, train
from policy.ppo_config import PpoConfig
from policy.prompts import TokenizedPrompt, load_prompts
from policy.publishing import run_identity
from policy.scaling import Method, fit_gains
from policy.watch import Look, looks_of
from records import publish_directory, read_jsonl
from rewardmodel.publishing import PublishingError, directory_sha256

STUDY_FILE = "study.json"
REPORT_FILE = "report.html"
CONTROL = "length only"


@dataclass(frozen=True)
class StudyConfig(KeepsWork):
    """Best-of-n and PPO against one or several proxies of a gold preference."""

    policy: PolicyDirectory
    """Directory of the policy to start from."""
    rewards: tuple[RewardModelDirectory, ...]
    """Directories of the proxies: reward models of several sizes, or of several amounts of rankings."""
    prompts: Path
    """An export of prompts, or a .jsonl file: split train for PPO, validation for every score."""
    out: Path
    """Where study.json and report.html are published."""
    gold_reward: RewardModelDirectory | None = None
    """Directory of the gold reward model, larger than any proxy and trained on rankings that they have not seen."""
    gold_command: str = ""
    """Or a program that scores JSON lines, as `python -m rewardmodel.score` reads and writes them."""
    work: Path | None = None
    """Where samples and states are kept; <out>.work unless given."""
    max_prompts: int = 64
    """Score only the first so many validation prompts; 0 is all."""
    num_samples: int = 64
    """N of best-of-n. Gao et al.: up to 60,000; the distance grows with √log N."""
    updates: int = 40
    """Updates of PPO per proxy."""
    look_every: int = 4
    """Updates of PPO between two points."""
    rollouts_per_update: int = 64
    """Completions sampled per update. Gao et al.: 256."""
    completions_per_prompt: int = 4
    """Completions of each prompt within an update."""
    minibatch_size: int = 32
    """Rollouts per optimizer step."""
    microbatch_size: int = 8
    """Rollouts forwarded at once: memory, never the result."""
    lr: float = 1e-5
    """Peak learning rate of policy and value model; high, since the far end is what is looked for."""
    kl_coef: float = 0.0
    """β. Gao et al.: 0 but in one section."""
    max_new_tokens: int = 64
    """Longest completion, in tokens."""
    max_prompt_tokens: int = 1024
    """Longer prompts are left out."""
    control_tokens: int = 0
    """L of the control's reward 1 − |tokens/L − 1|; 0 is one and a half times the start's mean length."""
    train_last_layers: int = 0
    """Train only that many of the last layers; 0 trains all."""
    lora: bool = False
    """Train adapters only."""
    precision: Precision = "fp32"
    """bf16 computes in bf16 over fp32 weights."""
    seed: int = 0
    """Seed of samples and training."""
    resume: bool = False
    """Go on from what an interrupted study left."""
    device: str = "auto"
    """cpu, cuda, cuda:1 …; auto takes the GPU where there is one."""


@dataclass(frozen=True)
class Point:
    """One policy: its distance √KL from the start, and means over the prompts."""

    distance: float
    proxy: float
    gold: float
    tokens: float | None = None
    repeated_share: float | None = None


def main(config: StudyConfig) -> None:
    """Sample once, pick by every proxy, train by every proxy and by length, fit, publish."""
    require_options(config)
    if config.out.exists():
        raise PublishingError(f"{config.out} exists already; give another --out, or remove it")
    if config.work_directory.exists() and not config.resume:
        raise PublishingError(f"{config.work_directory} holds an earlier study; go on with --resume, or remove it")
    sharing = begin_sharing()
    device = sharing.device(config.device)
    gold = gold_scorer(config, device)
    prompts = load_prompts(
        config.prompts, load_tokenizer(config.policy), max_tokens=config.max_prompt_tokens, split="validation"
    ).prompts[: config.max_prompts or None]
    sharing.require_members(len(prompts), f"validation prompts of {config.prompts}")
    if sharing.is_main:
        keep_options(config, program="policy.overoptimisation")
    samples = sample_once(config, sharing)
    gold_scores = score_samples(gold, samples, prompts, sharing)
    target = config.control_tokens or round(
        1.5 * mean(one.num_tokens or 0 for row in samples for one in row.completions)
    )
    curves = []
    for reward in config.rewards:
        own = [row.scores for row in samples]  # by the first proxy, as they were sampled
        if reward != config.rewards[0]:
            # Not kept in a name: it would lie on the device through the training below.
            own = score_samples(_proxy(config, reward, device), samples, prompts, sharing)
        curves.append(curve_facts(reward.name, "best_of_n", pick(own, gold_scores)))
        curves.append(curve_facts(reward.name, "ppo", train_points(config, reward, gold, prompts, device, sharing)))
    lengths = [tuple(1 - abs((one.num_tokens or 0) / target - 1) for one in row.completions) for row in samples]
    curves.append(curve_facts(CONTROL, "best_of_n", pick(lengths, gold_scores)))
    controlled = train_points(config, config.rewards[0], gold, prompts, device, sharing, length_only_tokens=target)
    curves.append(curve_facts(CONTROL, "ppo", controlled))
    if sharing.is_main:
        publish(config, {"settings": settings_of(config, len(prompts), target), "curves": curves})


def gold_scorer(config: StudyConfig, device: torch.device) -> Scorer:
    """The gold preference, as a reward model or as a program."""
    if config.gold_reward is None:
        return CommandJudge(config.gold_command)
    return _proxy(config, config.gold_reward, device)


def _proxy(config: StudyConfig, reward: Path, device: torch.device) -> Judge:
    return load_judge(reward, device, missing_end_score=-1.0, precision=config.precision)


def sample_once(config: StudyConfig, sharing: Sharing) -> list[ScoredSamples]:
    """N completions of every validation prompt, sampled now or by the interrupted study, if it was this one."""
    out = config.work_directory / "samples"
    sample_best_of_n(
        BestOfNConfig(
            policy=config.policy,
            reward=config.rewards[0],
            prompts=config.prompts,
            out=out,
            split="validation",
            most_prompts=config.max_prompts,
            num_samples=config.num_samples,
            max_new_tokens=config.max_new_tokens,
            max_prompt_tokens=config.max_prompt_tokens,
            seed=config.seed,
            precision=config.precision,
            resume=True,
            device=config.device,
        ),
        sharing=sharing,
    )
    return list(read_jsonl(out / SAMPLES_FILE, ScoredSamples))


def score_samples(
    scorer: Scorer, samples: Sequence[ScoredSamples], prompts: Sequence[TokenizedPrompt], sharing: Sharing = ALONE
) -> list[tuple[float, ...]]:
    """Every sample's score, prompt by prompt; processes share the prompts."""
    asked = [(prompt, row.completions) for prompt, row in zip(prompts, samples, strict=True)]
    return sharing.rejoin(scorer.scores(asked[sharing.span(len(asked))]))


def pick(proxy: Sequence[Sequence[float]], gold: Sequence[Sequence[float]]) -> list[Point]:
    """Best of n by the proxy for n = 1, 2, 4 … N: what the proxy and what the gold preference says of it."""
    num_samples = len(proxy[0])
    points = []
    for n in (2**k for k in range(num_samples.bit_length())):
        means = [
            mean(
                best_of_n_mean(
                    torch.tensor(picking, dtype=torch.float64), torch.tensor(own, dtype=torch.float64), n
                ).item()
                for picking, own in zip(proxy, judged, strict=True)
            )
            for judged in (proxy, gold)
        ]
        points.append(Point(sqrt(kl_of_best_of(n)), *means))
    return points


def train_points(
    config: StudyConfig,
    reward: Path,
    gold: Scorer,
    prompts: tuple[TokenizedPrompt, ...],
    device: torch.device,
    sharing: Sharing = ALONE,
    *,
    length_only_tokens: int = 0,
) -> list[Point]:
    """PPO against one proxy, looked at every few updates; no checkpoint is published."""
    name = "length-only" if length_only_tokens else reward.name
    ppo = PpoConfig(
        policy=config.policy,
        reward=reward,
        prompts=config.prompts,
        out=config.work_directory / f"ppo-{name}",
        updates=config.updates,
        save_every=config.look_every,
        warmup_updates=0,
        value_lr=config.lr,
        length_only_tokens=length_only_tokens,
        **{field: getattr(config, field) for field in _SHARED},
        resume=True,
    )
    return [_point_of(look) for look in train_looks(ppo, gold, prompts, device, sharing)]


def train_looks(
    ppo: PpoConfig,
    gold: Scorer,
    prompts: tuple[TokenizedPrompt, ...],
    device: torch.device,
    sharing: Sharing = ALONE,
) -> list[Look]:
    """PPO that `gold` watches over `prompts`: what it saw at the start, every --save-every updates and at the end."""
    torch.manual_seed(ppo.seed)
    require_processes(ppo, sharing.count)
    material = load_material(ppo, device, sharing)
    learners = build_learners(ppo, device, longest_prompt=material.prompts.longest, sharing=sharing)
    watch = replace(make_watch(ppo, gold, prompts, material.tokenizer), ensemble=material.ensemble)
    material = replace(material, watch=watch)
    outcome = train(learners, material, ppo, run_identity(ppo, reward=directory_sha256(ppo.reward)), sharing)
    return looks_of(outcome["looks"])


_SHARED = (
    *("rollouts_per_update", "completions_per_prompt", "minibatch_size", "microbatch_size", "lr", "kl_coef"),
    *("max_new_tokens", "max_prompt_tokens", "train_last_layers", "lora", "precision", "seed", "device"),
)


def _point_of(look: Look) -> Point:
    return Point(
        sqrt(max(look.kl, 0.0)),  # rounding may take a KL of 0 below it
        mean(look.scores),
        mean(look.held_out_scores),
        look.completion_tokens,
        look.repeated_share,
    )


def curve_facts(name: str, method: Method, points: Sequence[Point]) -> dict[str, Any]:
    """The points of one proxy by one method, and the forms fitted to proxy and gold, counted from the start."""
    distances = [point.distance for point in points]
    fits = {
        kind: fit_gains(method, distances, [getattr(point, kind) - getattr(points[0], kind) for point in points])
        for kind in ("proxy", "gold")
    }
    return {
        "proxy": name,
        "method": method,
        "points": [asdict(point) for point in points],
        "fits": {kind: {**asdict(fit), "peak": fit.peak} if fit else None for kind, fit in fits.items()},
    }


def settings_of(config: StudyConfig, num_prompts: int, control_tokens: int) -> dict[str, Any]:
    """What was run, by names and hashes."""
    hashes = {reward.name: directory_sha256(reward) for reward in config.rewards}
    gold = config.gold_command or (config.gold_reward and directory_sha256(config.gold_reward))
    options = {name: value for name, value in run_identity(config).items() if name not in ("rewards", "control_tokens")}
    return {
        **options,
        "policy": directory_sha256(config.policy),
        "proxies": hashes,
        "gold": gold,
        "num_prompts": num_prompts,
        "control_tokens": control_tokens,
    }


def publish(config: StudyConfig, study: dict[str, Any]) -> None:
    """study.json and report.html by one rename; the work directory has then served its purpose."""
    staging = config.work_directory / "publishing"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    (staging / STUDY_FILE).write_text(json.dumps(study, indent=1) + "\n", encoding="utf-8")
    (staging / REPORT_FILE).write_text(report_html(study), encoding="utf-8")
    for name, kept in kept_options(config.work_directory).items():
        (staging / name).write_bytes(kept)
    publish_directory(staging, config.out, kind="overoptimisation")
    shutil.rmtree(config.work_directory, ignore_errors=True)


def require_options(config: StudyConfig) -> None:
    """Refuse contradictions before anything is read."""
    if (config.gold_reward is None) == (not config.gold_command):
        raise OptionError("give --gold-reward or --gold-command, one of them: what is to be the gold preference?")
    if not config.rewards:
        raise OptionError("--rewards names no proxy; give the directory of at least one reward model")
    if len({reward.name for reward in config.rewards}) < len(config.rewards):
        raise OptionError("--rewards has two directories of one name; the report tells them by it")
    if config.gold_reward in config.rewards:
        raise OptionError("--gold-reward is among --rewards; the gold preference must be another model")
    require_positive(config, "num_samples", "updates", "look_every", "max_new_tokens", "lr")


if __name__ == "__main__":
    run(main, StudyConfig, shares_work=True)
