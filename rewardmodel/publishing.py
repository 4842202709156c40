"""The last act of training: facts, card, metrics and weights into one directory by one rename."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import PreTrainedTokenizerBase

from language.options import MayPass
from language.repeating import kept_options
from records.manifest import MANIFEST, sha256_of
from rewardmodel.card import card_text, cautions
from rewardmodel.comparisons import pairs_of
from rewardmodel.evaluation import Evaluation, validation_figures
from rewardmodel.material import Material
from rewardmodel.metrics import METRICS_FILE, note_on_board
from rewardmodel.model import FACTS_FILE, RewardModel, publish_reward_model
from rewardmodel.normalisation import Normalisation
from rewardmodel.report import report_html

STATES = "states"  # folder of the work directory

# Bytes per trained parameter in one resumable state: weight and AdamW's two moments in fp32.
_STATE_BYTES = 12


class PublishingError(ValueError):
    """A place where the model cannot go: which, and what to do."""


class NoRoom(PublishingError, MayPass):
    """A disk that cannot hold the run: how much is missing."""


def make_facts(
    name: str,
    base: str,
    identity: Mapping[str, Any],
    material: Material,
    normalisation: Normalisation,
    evaluation: Evaluation | None,
) -> dict[str, Any]:
    """Everything that the model's card may say: lineage, data, normalisation, figures, cautions."""
    facts: dict[str, Any] = {
        "name": name,
        "run": dict(identity),
        "base": {"name": base, "sha256": identity["base"]},
        "data": data_facts(material),
        "normalisation": {
            **asdict(normalisation),
            "over": material.references_are,
            "count": len(material.references),
        },
        "validation": asdict(evaluation) if evaluation else None,
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    facts["cautions"] = cautions(facts)
    return facts


def data_facts(material: Material) -> dict[str, Any]:
    """Where the rankings came from, whose they are, and what of them was used."""
    return {
        "name": f"{material.source.path.parent.name}/{material.source.path.name}",
        "sha256": material.source.sha256,
        "export": material.source.export,
        "validation_fraction": material.validation_fraction,
        "split_by": material.split_by,
        "num_rankings": len(material.training),
        "num_comparisons": len(material.comparisons),
        "num_pairs": len(pairs_of(material.comparisons).pairs),
        "num_prompts_cut": material.num_prompts_cut,
        "left_out": {name: count for name, count in material.left_out.items() if count},
        "trainer_kinds": dict(Counter(ranking.trainer_kind for ranking in material.training)),
        "trainer_weights": material.trainer_weights.facts() if material.trainer_weights else None,
    }


def publish(
    out: Path,
    work: Path,
    model: RewardModel,
    tokenizer: PreTrainedTokenizerBase,
    facts: Mapping[str, Any],
    evaluation: Evaluation | None,
) -> str:
    """Publish at `out`; the resumable states in `work` have then served their purpose and are removed."""
    log = (work / METRICS_FILE).read_bytes()
    steps = [json.loads(line) for line in log.splitlines()]
    extra_files = {
        METRICS_FILE: log,
        "metrics.json": (json.dumps(flat_metrics(facts, steps), indent=1, sort_keys=True) + "\n").encode(),
        "card.md": card_text(facts).encode(),
        **kept_options(work),
        **_report_files(facts, evaluation),
    }
    note_on_board(work, len(steps), validation_figures(evaluation))
    sha256 = publish_reward_model(out, model=model, tokenizer=tokenizer, facts=facts, extra_files=extra_files)
    shutil.rmtree(work / STATES, ignore_errors=True)
    return sha256


def _report_files(facts: Mapping[str, Any], evaluation: Evaluation | None) -> dict[str, bytes]:
    if evaluation is None:
        return {}
    shown = {"base": facts["base"]["name"], "data": facts["data"]["name"], "sha256": facts["data"]["sha256"]}
    shown |= {"split": f"validation, by {facts['data']['split_by']} where records carried none"}
    page = report_html(evaluation, title=f"Reward model {facts['name']}", facts=shown)
    figures = json.dumps(asdict(evaluation), indent=1, ensure_ascii=False) + "\n"
    return {"evaluation.json": figures.encode(), "evaluation.html": page.encode()}


def flat_metrics(facts: Mapping[str, Any], steps: Sequence[Mapping[str, int | float]]) -> dict[str, float]:
    """The few numbers by which models are compared at a glance, each by one name."""
    metrics: dict[str, Any] = {
        "num_comparisons": facts["data"]["num_comparisons"],
        "num_pairs": facts["data"]["num_pairs"],
        "steps": len(steps),
        "seconds": sum(step["seconds"] for step in steps),
        "train_loss": steps[-1]["loss"],
    }
    evaluation = facts["validation"] or {}
    for name in ("accuracy", "longer_baseline", "over_longer"):
        if name in evaluation:
            estimate = evaluation[name]
            metrics |= {name: estimate["value"], f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}
    metrics |= {name: evaluation.get(name) for name in ("log_loss", "calibration_error", "length_correlation")}
    return {name: float(value) for name, value in metrics.items() if value is not None}


def is_published(out: Path, identity: Mapping[str, Any], *, may_be: bool) -> bool:
    """Whether `out` is what this very run published. PublishingError where something else is there.

    `may_be` is False for a run that is not resumed: then anything there is in the way.
    """
    if not out.exists():
        return False
    facts = out / FACTS_FILE
    if may_be and facts.is_file() and json.loads(facts.read_text(encoding="utf-8")).get("run") == dict(identity):
        return True
    raise PublishingError(f"{out} exists already; give another --out, or remove it")


def require_room(work: Path, model: RewardModel) -> None:
    """Refuse to begin where the disk cannot hold three resumable states and the published model."""
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    published = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    needed = 3 * _STATE_BYTES * trained + published
    work.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(work).free
    if free < needed:
        raise NoRoom(
            f"{work}: {free / 1e9:.1f} GB free, but this run needs {needed / 1e9:.1f} GB; free some, or give --work"
        )


def directory_sha256(directory: Path) -> str:
    """One hash for a model directory: of its manifest, or of its files where it has none."""
    manifest = directory / MANIFEST
    if manifest.is_file():
        return sha256_of(manifest)
    files = sorted(path for path in directory.iterdir() if path.is_file())
    return hashlib.sha256(repr([(path.name, sha256_of(path)) for path in files]).encode()).hexdigest()
