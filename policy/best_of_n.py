"""Best-of-n: sample N completions a prompt, and say what picking the best of n ≤ N by a reward model gives.

The curve has every n at once, by the unbiased estimator of WebGPT (App. I), with the KL that picking costs,
by the reward model that picks and by a second one that does not (Gao et al. 2022, §2). Samples are kept
as they come; --resume goes on where a killed run stopped.
"""

import json
import math
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from language.chat import end_token_id
from language.checkpoints import load_causal_lm, load_tokenizer
from language.commandline import Precision, run
from language.generation import default_dtype, sample
from language.model_kinds import PolicyDirectory, RewardModelDirectory
from language.options import KeepsWork, OptionError, require_positive
from language.parallel import Sharing, begin_sharing
from language.progress import Progress
from language.reading import say_read
from language.repeating import keep_options, kept_options
from language.seeds import derived_seed
from policy.judging import as_completion, load_judge
from policy.prompts import TokenizedPrompt, load_prompts
from policy.publishing import FACTS_FILE, require_place, run_identity
from records import Completion, SamplingParams, publish_directory, read_jsonl, write_jsonl
from records.lines import to_line
from records.types import Split
from rewardmodel.limits import BEYOND, at_most
from rewardmodel.publishing import directory_sha256
from rewardmodel.statistics import estimate_mean

SAMPLES_FILE = "samples.jsonl"
CURVE_FILE = "curve.json"
RUN_FILE = "run.json"


@dataclass(frozen=True)
class BestOfNConfig(KeepsWork):
    """The curve of best-of-n for a policy, a reward model that picks, and perhaps a second one that judges."""

    policy: PolicyDirectory
    """Directory of the policy to sample from."""
    reward: RewardModelDirectory
    """Directory of the reward model that picks. Text is its input: its tokenizer may be another."""
    prompts: Path
    """An export of prompts, or a .jsonl file of them."""
    out: Path
    """Where the samples and the curve are published, whole or not at all."""
    second_reward: RewardModelDirectory | None = None
    """Directory of a second reward model that judges what the first picked."""
    work: Path | None = None
    """Where samples are kept as they come; <out>.work unless given."""
    split: Split = "validation"
    """Which split's prompts to answer; records without a split are in train."""
    max_records: int = 0
    """Answer at most so many prompts, chosen by the hashes of their ids; 0 is all."""
    most_prompts: int = 0
    """Answer only the first so many prompts; 0 is all."""
    num_samples: int = 16
    """N, the completions of each prompt. The curve has every n up to it."""
    max_new_tokens: int = 256
    """Longest completion, in tokens."""
    max_prompt_tokens: int = 1024
    """Longer prompts are left out."""
    temperature: float = 1.0
    """Temperature of sampling."""
    missing_end_score: float = -1.0
    """The score of a completion without an end token, instead of its own, as in PPO."""
    seed: int = 0
    """Seed of the samples and of the intervals."""
    precision: Precision = "fp32"
    """bf16 scores in bf16; sampling takes what is fastest on the device."""
    resume: bool = False
    """Keep the samples that are there and go on."""
    device: str = "auto"
    """cpu, cuda, cuda:1 …; auto takes the GPU where there is one."""


@dataclass(frozen=True)
class ScoredSamples:
    """One prompt's completions with their scores by both reward models."""

    prompt_id: str
    completions: tuple[Completion, ...]
    scores: tuple[float, ...]
    second_scores: tuple[float, ...] = ()


def kl_of_best_of(n: int) -> float:
    """KL(best-of-n ‖ policy) = log n − (n−1)/n, nats (Stiennon et al. 2020, App. G.3; Gao et al. 2022, §2).

    Exact where no two completions have one score; else an upper bound.
    """
    return math.log(n) - (n - 1) / n


def best_of_n_weights(num_samples: int, n: int) -> Float[Tensor, " samples"]:
    """How often each of N samples, worst first, is the best of a random n of them: C(i−1, n−1)/C(N, n)."""
    weights = torch.zeros(num_samples, dtype=torch.float64)
    weight = n / num_samples
    for i in range(num_samples, n - 1, -1):
        weights[i - 1] = weight
        weight *= (i - n) / (i - 1) if i > 1 else 0.0
    return weights


def best_of_n_mean(picking: Float[Tensor, " samples"], judged: Float[Tensor, " samples"], n: int) -> Float[Tensor, ""]:
    """The unbiased estimate of `judged` of the best of n by `picking`, from N ≥ n samples (WebGPT, App. I).

    Samples that tie in `picking` are picked equally often: each counts as the mean of its tie.
    """
    _, tie = torch.unique(picking, return_inverse=True)
    sums = torch.zeros(int(tie.max()) + 1, dtype=torch.float64).index_add(0, tie, judged.double())
    level = (sums / tie.bincount())[tie]
    mean: Tensor = (best_of_n_weights(len(picking), n) * level[picking.argsort(stable=True)]).sum()
    return mean


def main(config: BestOfNConfig, *, share_after: float = 0.02, sharing: Sharing | None = None) -> None:
    """Sample and score prompt after prompt, then publish samples and curve; several processes take turns at prompts.

    `share_after` is what comes after the sampling, as a multiple of it; `sharing` is of a run that this is a part of.
    """
    sharing = sharing or begin_sharing()
    require_positive(config, "num_samples", "max_new_tokens", "max_prompt_tokens", "temperature")
    tokenizer = load_tokenizer(config.policy)
    prompts = load_prompts(config.prompts, tokenizer, max_tokens=config.max_prompt_tokens, split=config.split)
    drawn = at_most(prompts.prompts, config.max_records, id_of=lambda prompt: prompt.id)
    chosen = drawn[: config.most_prompts or None]
    left_out = {
        **prompts.left_out,
        BEYOND: len(prompts.prompts) - len(drawn),
        "beyond_most_prompts": len(drawn) - len(chosen),
    }
    limit = f"--max-prompt-tokens {config.max_prompt_tokens}"
    say_read(config.prompts, "prompts", {"to answer": len(chosen)}, left_out, limit=limit)
    paths = {"policy": config.policy, "reward": config.reward, "second_reward": config.second_reward}
    hashes = {name: directory_sha256(path) for name, path in paths.items() if path is not None}
    identity = run_identity(config, **hashes, prompts=prompts.source.sha256)
    if not require_place(config.out, config.work_directory, identity, resume=config.resume):
        print(f"{config.out} is already published by this run", file=sys.stderr)
        return
    sharing.require_members(len(chosen), f"prompts of {config.prompts}")
    scored: list[ScoredSamples] = []
    if sharing.is_main:
        scored = begin_or_resume(config.work_directory, identity, resume=config.resume)
        keep_options(config, program="policy.best_of_n")
    scored = sharing.from_main(scored)
    device = sharing.device(config.device)
    model = load_causal_lm(config.policy, dtype=default_dtype(device), device=device)
    judges = [
        load_judge(path, device, missing_end_score=config.missing_end_score, precision=config.precision)
        for path in (config.reward, config.second_reward)
        if path is not None
    ]
    after = share_after * len(chosen)
    with Progress(
        len(chosen),
        description="best of n",
        unit="prompts",
        done=len(scored),
        after=after,
        tells=sharing.is_main,
    ) as progress:
        while len(scored) < len(chosen):
            turn = range(len(chosen))[len(scored) : len(scored) + sharing.count]
            own = []
            for index in sharing.of(turn):
                prompt = chosen[index]
                completions = sample_completions(model, tokenizer, prompt, index, config)
                scores = [judge.scores([(prompt, completions)])[0] for judge in judges]
                own.append(ScoredSamples(prompt.id, completions, scores[0], scores[1] if scores[1:] else ()))
            for found in sharing.interleave(own):
                scored.append(found)
                if sharing.is_main:
                    append_line(config.work_directory / SAMPLES_FILE, found)
                progress.advance(1)
    if sharing.is_main:
        publish_curve(config, scored, identity)
    sharing.from_main(None)  # of a larger run, whose other processes go on from what is published here


def publish_curve(config: BestOfNConfig, scored: Sequence[ScoredSamples], identity: Mapping[str, Any]) -> None:
    """Publish samples and curve, and say the curve."""
    curve = make_curve(scored, seed=config.seed)
    publish(config, scored, curve, identity)
    print(f"{config.split} split of {config.prompts}, {len(scored)} prompts")
    print(curve_text(curve))


def sample_completions(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: TokenizedPrompt,
    index: int,
    config: BestOfNConfig,
) -> tuple[Completion, ...]:
    """N pure samples of one prompt; of a run, their seeds depend on the prompt's place alone."""
    seed = derived_seed(config.seed, "best of n", index)
    params = SamplingParams(temperature=config.temperature, max_new_tokens=config.max_new_tokens, seed=seed)
    sampled = sample(
        model,
        prompt.token_ids,
        num_completions=config.num_samples,
        params=params,
        end_token_id=end_token_id(tokenizer),
    )
    return tuple(
        as_completion(one, tokenizer, f"{prompt.id}-{i}", config.policy.name, replace(params, seed=seed + i))
        for i, one in enumerate(sampled)
    )


def make_curve(scored: Sequence[ScoredSamples], *, seed: int) -> list[dict[str, Any]]:
    """For every n: its KL, and the mean over prompts of both scores of the best of n, with 95 % intervals."""
    num_samples = len(scored[0].completions)
    curve = []
    for n in range(1, num_samples + 1):
        point: dict[str, Any] = {"n": n, "kl": kl_of_best_of(n)}
        for name in ("scores", "second_scores"):
            judged = [(samples.scores, getattr(samples, name)) for samples in scored]
            if judged[0][1]:
                means = [best_of_n_mean(torch.tensor(picking), torch.tensor(own), n) for picking, own in judged]
                point[name] = asdict(estimate_mean(torch.stack(means), torch.arange(len(means)), seed=seed))
        curve.append(point)
    return curve


def curve_text(curve: Sequence[Mapping[str, Any]]) -> str:
    """The curve at powers of two and at its end, as lines for a terminal."""
    shown = [point for point in curve if point["n"] & (point["n"] - 1) == 0 or point is curve[-1]]
    lines = [f"{'n':>5} {'KL':>7}  score" + ("  second score" if "second_scores" in curve[0] else "")]
    for point in shown:
        values = [f"{point[name]['value']:+.3f}" for name in ("scores", "second_scores") if name in point]
        lines.append(f"{point['n']:>5} {point['kl']:>7.3f}  {'  '.join(values)}")
    return "\n".join(lines)


def begin_or_resume(work: Path, identity: Mapping[str, Any], *, resume: bool) -> list[ScoredSamples]:
    """The samples that an interrupted run left, or none. OptionError where they are not of this run."""
    samples, run_file = work / SAMPLES_FILE, work / RUN_FILE
    if run_file.exists():
        theirs = json.loads(run_file.read_text(encoding="utf-8"))
        if not resume or theirs != dict(identity):
            reason = "another run's samples" if resume else "an earlier run's samples; go on with --resume"
            raise OptionError(f"{work} holds {reason}, or remove it")
        whole = [line for line in samples.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
        samples.write_text("".join(whole), encoding="utf-8")  # a kill may have cut the last line
        return list(read_jsonl(samples, ScoredSamples))
    work.mkdir(parents=True, exist_ok=True)
    samples.write_text("", encoding="utf-8")
    run_file.write_text(json.dumps(dict(identity)), encoding="utf-8")
    return []


def append_line(path: Path, scored: ScoredSamples) -> None:
    """One more line, on disk before the next prompt is begun."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(to_line(scored))
        file.flush()
        os.fsync(file.fileno())


def publish(
    config: BestOfNConfig,
    scored: Sequence[ScoredSamples],
    curve: Sequence[Mapping[str, Any]],
    identity: Mapping[str, Any],
) -> None:
    """Samples, curve and facts by one rename; what was in the work directory has then served its purpose."""
    staging = config.out.with_name(f"tmp-{os.getpid()}-{config.out.name}")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        staging.mkdir(parents=True)
        write_jsonl(staging / SAMPLES_FILE, scored)
        facts = {"run": dict(identity), "method": "best_of_n", "name": config.out.name}
        for name, content in {CURVE_FILE: list(curve), FACTS_FILE: facts}.items():
            (staging / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        for name, kept in kept_options(config.work_directory).items():
            (staging / name).write_bytes(kept)
        publish_directory(staging, config.out, kind="best_of_n")
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    shutil.rmtree(config.work_directory, ignore_errors=True)


if __name__ == "__main__":
    run(main, BestOfNConfig, shares_work=True)
