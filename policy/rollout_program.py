"""What a program that samples rollouts does before its loop and after it: PPO and RLOO alike.

Everything is read and refused before a network is built; what is published names all that it was made from.
"""

import sys
from dataclasses import dataclass, replace
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from language.parallel import Sharing, begin_sharing
from language.progress import begin_stage
from policy.inputs import RolloutConfig, require_processes
from policy.material import Material, load_material
from policy.publishing import publish_policy, require_place, run_identity
from policy.rollout_source import open_source
from policy.watch import looks_of
from records.types import TrainingKind
from rewardmodel.publishing import directory_sha256


@dataclass(frozen=True)
class Begun:
    """A run that may train: where, on what, and what it is known by."""

    sharing: Sharing
    device: torch.device
    material: Material
    start: dict[str, str]
    identity: dict[str, Any]


def begin(config: RolloutConfig) -> Begun | None:
    """Read everything and refuse what is wrong; None where this very run is published already."""
    begin_stage("loading")
    sharing = begin_sharing(config.sharding)
    require_processes(config, sharing.count)
    torch.manual_seed(config.seed)
    device = sharing.device(config.device)
    material = load_material(config, device, sharing)
    start = {"name": config.policy.name, "sha256": directory_sha256(config.policy)}
    hashes = {part: source["sha256"] for part, source in {"start": start, **material.made_from}.items()}
    identity = run_identity(config, **hashes)
    if not require_place(config.out, config.work_directory, identity, resume=config.resume):
        print(f"{config.out} is already published by this run", file=sys.stderr)
        return None
    source = open_source(config, identity, material.tokenizer, longest_prompt=material.prompts.longest)
    return Begun(sharing, device, replace(material, source=source), start, identity)


def publish(
    config: RolloutConfig,
    begun: Begun,
    *,
    method: TrainingKind,
    model: PreTrainedModel | PeftModel,
    outcome: dict[str, Any],
) -> None:
    """Publish the trained policy with its lineage, the last update's metrics and all looks.

    All processes call it: each has a part of what the main one publishes.
    """
    whole = begun.sharing.whole_on_main(model)
    if whole is None:
        return
    material, looks = begun.material, looks_of(outcome["looks"])
    facts = {
        "name": config.out.name,
        "method": method,
        "start": begun.start,
        "made_from": material.made_from,
        "run": begun.identity,
        "num_processes": begun.sharing.count,
        "num_records": len(material.prompts.prompts),
        "left_out": material.prompts.left_out,
        "metrics": {"updates": float(config.updates), **outcome["metrics"]},
        "watch": [{"update": look.update, **look.metrics(looks[0])} for look in looks],
    }
    begin_stage("publishing")
    publish_policy(
        config.out,
        config.work_directory,
        model=whole,
        base=config.policy,
        trainable=config.trainable,
        tokenizer=material.tokenizer,
        facts=facts,
    )
