"""The demo's training steps: exports, then SFT, reward model and PPO as jobs of the train worker."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings

from labeling import environment
from labeling.demo.polling import StepFailed, follow
from labeling.demo.report import Curve, PpoFigures, RewardModelFigures, SftFigures, read_curve
from labeling.demo.state import Loop
from labeling.demo.workers import log_folder
from labeling.exports import request_export
from labeling.models import Export, Policy, RewardModel, TrainingJob
from labeling.rounds.training_jobs import start_job
from labeling.statistics.intervals import Estimate
from records import read_manifest

HELD_OUT = {
    "validation_percent": 10,
    "test_percent": 15,
}  # of the prompts; more than the default, since there are few prompts
EXPORT_PATIENCE = 120.0  # seconds without progress
JOB_PATIENCE = 420.0  # seconds without progress
METRICS = "metrics.jsonl"


def export(loop: Loop) -> str:
    """Three immutable exports with the same split: rankings, demonstrations, prompts."""
    for kind in (Export.Kind.RANKINGS, Export.Kind.DEMONSTRATIONS, Export.Kind.PROMPTS):
        loop.exports[kind] = request_export(loop.project, kind=kind, filters=HELD_OUT, by=None)
    for number, asked in enumerate(loop.exports.values()):
        _await_export(loop, asked, share=(number / 3, (number + 1) / 3))
        if not asked.num_records:
            raise StepFailed(f"The export of {asked.kind} is empty.")
        loop.sizes[f"{asked.kind} exported"] = asked.num_records
    return ", ".join(f"{asked.num_records} {asked.kind}" for asked in loop.exports.values())


def fine_tune(loop: Loop) -> str:
    """SFT on the seed's demonstrations; reward model and PPO start from the result."""
    options = loop.options
    job = _train(
        loop,
        TrainingJob.Kind.SFT,
        export=loop.exports[Export.Kind.DEMONSTRATIONS],
        name="demo-sft",
        policy=loop.start,
        options={"epochs": options.sft_epochs, "batch_size": options.sft_batch, "lr": 1e-5, "seed": options.seed},
    )
    loop.sft_policy = Policy.objects.get(training_job=job)
    _require_changed(loop.sft_policy, loop.start)
    metrics_file = directory_of(loop.sft_policy) / METRICS
    losses, validation = read_curve(metrics_file, "loss"), read_curve(metrics_file, "validation_loss")
    loop.sft = SftFigures(
        curves=(_named(losses, "loss of the batch, nats per token"),),
        loss_before=validation.points[0][1] if validation.points else None,
        loss_after=validation.points[-1][1] if validation.points else None,
    )
    return f"{loop.sft_policy.name}: {len(losses.points)} steps"


def train_reward_model(loop: Loop) -> str:
    """A reward model on the training rankings, from the fine-tuned policy, evaluated on the held-out ones."""
    options = loop.options
    job = _train(
        loop,
        TrainingJob.Kind.REWARD_MODEL,
        export=loop.exports[Export.Kind.RANKINGS],
        name="demo-reward",
        policy=loop.sft_policy,
        options={
            "epochs": options.reward_epochs,
            "batch_size": options.reward_batch,
            "max_tokens": options.reward_tokens,
            "lr": 2e-5,
            "seed": options.seed,
        },
    )
    loop.reward_model = RewardModel.objects.get(training_job=job)
    directory = directory_of(loop.reward_model)
    loss, accuracy = read_curve(directory / METRICS, "loss"), read_curve(directory / METRICS, "accuracy")
    if not loss.points:
        raise StepFailed("The reward model took no step.")
    loop.show(0.95, "evaluating")
    found = _evaluate(directory, directory_of(loop.exports[Export.Kind.RANKINGS]))
    loop.reward = RewardModelFigures(
        accuracy=_estimate(found["accuracy"]),
        longer_baseline=_estimate(found["longer_baseline"]),
        curves=(_named(loss, "loss per pair, nats"), _named(accuracy, "accuracy on the batch before its step")),
    )
    loop.sizes["pairs held out"] = loop.reward.accuracy.n
    return (
        f"{loop.reward_model.name}: {len(loss.points)} steps; held-out accuracy {loop.reward.accuracy.value:.2f}, "
        f"the longer wins {loop.reward.longer_baseline.value:.2f}, of {loop.reward.accuracy.n} pairs"
    )


def optimise(loop: Loop) -> str:
    """PPO from the fine-tuned policy against the reward model, with the KL penalty."""
    options = loop.options
    job = _train(
        loop,
        TrainingJob.Kind.PPO,
        export=loop.exports[Export.Kind.PROMPTS],
        name="demo-round-1",
        policy=loop.sft_policy,
        reward_model=loop.reward_model,
        options={
            "updates": options.updates,
            "rollouts_per_update": options.rollouts,
            "minibatch_size": options.minibatch,
            "max_new_tokens": options.new_tokens,
            "max_prompt_tokens": options.prompt_characters // 2,
            "warmup_updates": 1,
            "lora": True,  # half the memory and a third less time
            "lr": 1e-4,
            "value_lr": 3e-4,
            "seed": options.seed,
        },
    )
    loop.new_policy = Policy.objects.get(training_job=job)
    _require_changed(loop.new_policy, loop.sft_policy)
    metrics_file = directory_of(loop.new_policy) / METRICS
    scores, kl = read_curve(metrics_file, "score"), read_curve(metrics_file, "kl")
    if not scores.points:
        raise StepFailed("PPO made no update.")
    loop.ppo = PpoFigures(
        reward_before=scores.points[0][1],
        reward_after=scores.points[-1][1],
        kl=kl.points[-1][1],
        curves=(
            _named(scores, "score of the reward model, mean over rollouts"),
            _named(kl, "KL to the reference, nats per completion"),
        ),
    )
    return f"{loop.new_policy.name}: {len(scores.points)} updates, {len(scores.points) * options.rollouts} rollouts"


def _train(loop: Loop, kind: TrainingJob.Kind, *, name: str, **job_arguments: Any) -> TrainingJob:
    """Start a job and wait for its end. Raises StepFailed with the trainer's message where it failed."""
    job = start_job(loop.project, kind=kind, output_name=name, by=None, **job_arguments)

    def progress() -> tuple[float, str]:
        job.refresh_from_db()
        if job.state in (TrainingJob.State.FAILED, TrainingJob.State.CANCELLED):
            raise StepFailed(f"The job {name} {job.state}: {job.error}")
        done = job.state == TrainingJob.State.DONE
        return 1.0 if done else min(job.fraction, 0.99), f"{job.state} {_in_short(job.metrics)}".rstrip()

    follow(
        progress,
        show=lambda fraction, note: loop.show(0.95 * fraction, note),
        patience=JOB_PATIENCE,
        where=f"{log_folder()}/train-worker.log",
    )
    return job


def _await_export(loop: Loop, asked: Export, *, share: tuple[float, float]) -> None:
    low, high = share

    def progress() -> tuple[float, str]:
        asked.refresh_from_db()
        if asked.state in (Export.State.FAILED, Export.State.CANCELLED):
            raise StepFailed(f"The export of {asked.kind} {asked.state}: {asked.error}")
        return 1.0 if asked.state == Export.State.DONE else min(asked.fraction, 0.99), str(asked.kind)

    follow(
        progress,
        show=lambda fraction, note: loop.show(low + (high - low) * fraction, note),
        patience=EXPORT_PATIENCE,
        where=f"{log_folder()}/exports-worker.log",
    )


def _evaluate(model: Path, rankings: Path) -> dict[str, Any]:
    """Evaluate in a process of its own: labeling may not import model libraries. Raises StepFailed."""
    command = [sys.executable, "-m", "rewardmodel.evaluate", "--model", str(model), "--data", str(rankings), "--json"]
    done = subprocess.run(command, check=False, cwd=environment.CHECKOUT, capture_output=True, text=True)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise StepFailed(f"The reward model could not be evaluated: {last[-1]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _estimate(values: dict[str, Any]) -> Estimate:
    """An estimate; with a single prompt there is no interval, so it spans 0 to 1."""
    low, high = values["low"], values["high"]
    return Estimate(
        value=values["value"],
        low=0.0 if low is None else low,
        high=1.0 if high is None else high,
        n=values["num_pairs"],
    )


def _require_changed(made: Policy, start: Policy) -> None:
    """Raise StepFailed where the policy's weights are those that it started from."""
    weights = [
        {name: file["sha256"] for name, file in read_manifest(directory_of(policy))["files"].items()}
        for policy in (made, start)
    ]
    tensors = [{name: sha256 for name, sha256 in one.items() if name.endswith(".safetensors")} for one in weights]
    if tensors[0] == tensors[1]:
        raise StepFailed(f"{made.name} has the very weights of {start.name}: nothing was learnt.")


def directory_of(published: Policy | RewardModel | Export) -> Path:
    """The model's or export's directory in the store."""
    return Path(settings.PARLEY_STORE) / published.store_path


def _named(curve: Curve, name: str) -> Curve:
    return Curve(name=name, points=curve.points, x_label=curve.x_label)


def _in_short(metrics: dict[str, float]) -> str:
    shown = [f"{name} {value:.3g}" for name, value in metrics.items() if name in ("loss", "score", "kl", "accuracy")]
    return " ".join(shown)
