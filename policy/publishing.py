"""The first and the last act of a trainer here: is there a place for the policy, and put it there.

What comes out is a plain checkpoint: adapters merged, weights in fp32, tokenizer, card and metrics
beside them; `AutoModelForCausalLM` and the sampler load it as they load any other.
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from language.checkpoints import load_causal_lm, publish_checkpoint
from language.lora import wrap_with_lora
from language.repeating import kept_options
from policy.card import card_text
from policy.disagreements import DISAGREEMENTS_FILE
from policy.learner import Trainable
from rewardmodel.limits import set_limits
from rewardmodel.metrics import METRICS_FILE
from rewardmodel.publishing import STATES, NoRoom, PublishingError

FACTS_FILE = "policy.json"

# Bytes per trained parameter in one resumable state: weight and AdamW's two moments in fp32.
_STATE_BYTES = 12

# Options that may differ between the parts of an interrupted run. Data and models count by their hashes.
_NOT_IDENTITY = {
    *("out", "work", "resume", "device", "save_every", "ensemble_rewards"),
    *("sharding", "activation_checkpointing"),
    *("rollouts", "rollouts_folder", "rollouts_max_gap", "rollouts_patience"),
}

# Options that move the result only where there is an ensemble of reward models, whose members count by their hashes.
_OF_AN_ENSEMBLE = {"ensemble", "ensemble_variance_coef"}

# Options that move the result only where a server samples. Which one does not: a run may move to another.
_OF_A_SERVER = {"rollouts_weight_cap"}


def run_identity(config: Any, **hashes: str | None) -> dict[str, Any]:
    """What makes two runs the same run: every option that moves the result, and hashes of what it read."""
    options = asdict(config)
    moving = {name: value for name, value in set_limits(options.items()).items() if name not in _NOT_IDENTITY}
    if not options.get("ensemble_rewards"):
        moving = {name: value for name, value in moving.items() if name not in _OF_AN_ENSEMBLE}
    if not options.get("rollouts"):
        moving = {name: value for name, value in moving.items() if name not in _OF_A_SERVER}
    return {name: value for name, value in moving.items() if not isinstance(value, Path)} | hashes


def require_place(out: Path, work: Path, identity: Mapping[str, Any], *, resume: bool) -> bool:
    """Whether there is still something to do. False where `out` is what this very run published.

    Raises PublishingError where something else is at `out`, or an earlier run's states are in `work`.
    """
    if out.exists():
        facts = out / FACTS_FILE
        if resume and facts.is_file() and json.loads(facts.read_text(encoding="utf-8")).get("run") == dict(identity):
            return False
        raise PublishingError(f"{out} exists already; give another --out, or remove it")
    states = work / STATES
    if not resume and states.is_dir() and any(states.iterdir()):
        raise PublishingError(f"{states} holds an earlier run; go on with --resume, or remove it")
    return True


def require_room(work: Path, modules: Iterable[nn.Module], *, num_kept: int = 0) -> None:
    """Refuse to begin where the disk cannot hold three resumable states, `num_kept` checkpoints and the policy."""
    parameters = [parameter for module in modules for parameter in module.parameters()]
    trained = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    needed = 3 * _STATE_BYTES * trained + 4 * (1 + num_kept) * sum(parameter.numel() for parameter in parameters)
    work.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(work).free
    if free < needed:
        raise NoRoom(
            f"{work}: {free / 1e9:.1f} GB free, but this run needs {needed / 1e9:.1f} GB; free some, or give --work"
        )


def publish_policy(
    out: Path,
    work: Path,
    *,
    model: PreTrainedModel | PeftModel,
    base: Path,
    trainable: Trainable,
    tokenizer: PreTrainedTokenizerBase,
    facts: Mapping[str, Any],
) -> str:
    """Publish at `out`; the resumable states in `work` have then served their purpose and are removed.

    `facts` says where the policy comes from and what it came to; facts["metrics"] becomes metrics.json.
    Returns the SHA-256 of the manifest.
    """
    extra_files = {
        FACTS_FILE: _json_bytes(facts),
        "card.md": card_text(facts).encode(),
        "metrics.json": _json_bytes(facts["metrics"]),
        METRICS_FILE: (work / METRICS_FILE).read_bytes(),
        **kept_options(work),
    }
    if facts.get("watch"):
        extra_files[DISAGREEMENTS_FILE] = (work / DISAGREEMENTS_FILE).read_bytes()
    sha256 = publish_checkpoint(
        out,
        model=merge_in_full_precision(model, base=base, trainable=trainable),
        tokenizer=tokenizer,
        extra_files=extra_files,
        kind="policy",
    )
    shutil.rmtree(work / STATES, ignore_errors=True)
    return sha256


def keep_checkpoint(
    place: Path,
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    base: Path,
    trainable: Trainable,
    **facts: Any,
) -> None:
    """Publish what `model` is now within a work directory, in place of what is there; `facts` say when it was so."""
    shutil.rmtree(place, ignore_errors=True)
    merged = merge_in_full_precision(model, base=base, trainable=trainable)
    publish_checkpoint(place, model=merged, tokenizer=tokenizer, kind="policy", **facts)


def merge_in_full_precision(model: PreTrainedModel | PeftModel, *, base: Path, trainable: Trainable) -> PreTrainedModel:
    """A plain fp32 model: adapters are added to the base's own weights, not to the bf16 copy trained on.

    An adapter's addition is often smaller than what bf16 can tell apart, so it would be rounded away.
    """
    if not isinstance(model, PeftModel):
        return model
    whole = wrap_with_lora(load_causal_lm(base), rank=trainable.lora_rank)
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    with torch.no_grad():
        for name, parameter in whole.named_parameters():
            if name in trained:
                parameter.copy_(trained[name])
    return cast(PreTrainedModel, whole.merge_and_unload())


def _json_bytes(values: Any) -> bytes:
    return (json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
