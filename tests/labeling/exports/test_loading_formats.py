"""Each format read by the tool that it is for: `datasets`, pyarrow, our own importer, and trl's trainers.

The trainers take a directory of an export as it is and learn two steps from it.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from labeling.exports import build, request_export
from labeling.imports import import_rankings
from labeling.models import Comparison, Completion, Dialogue, Export, Project, Rating
from records import encode
from tests.labeling.exports.material import directory_of, exported, make_ranking, rankings_in
from tests.labeling.factories import make_comparison, make_dialogue, make_project, make_prompt, make_thumb, make_user

datasets = pytest.importorskip("datasets")
pytestmark = pytest.mark.django_db

NUM = 12


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", name="Sky")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`datasets` keeps what it has read; here in a folder of the test's own, and the network is left alone."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


def fill(project: Project, *, num: int = NUM) -> None:
    alice = make_user(username="alice", projects=[project])
    for number in range(num):
        question = f"What should I know about the number {number}?"
        messages = [{"role": "user", "content": question}]
        comparison = make_comparison(project=project, messages=messages, topic="numbers")
        ranking = make_ranking(project=project, comparison=comparison, trainer=alice, unacceptable_from=2)
        first = comparison.completions.order_by("index")[0]
        Rating.objects.create(ranking=ranking, completion=first, overall=6, flags={"rude": False, "kind": True})
        turns = (("user", question, "typed"), ("assistant", "That it is one.", "typed"))
        make_dialogue(project=project, state=Dialogue.State.ACCEPTED, author=alice, turns=turns)
        make_prompt(project=project, content=question)
        make_thumb(project=project, messages=messages, up=number % 2 == 0, reason="Wrong.", outside_policy="theirs")


def exported_as(project: Project, kind: str, name: str, **filters: Any) -> Path:
    export = request_export(project, kind=kind, format=name, filters=filters, by=None, notify_worker=False)
    assert build(export.id), Export.objects.get(id=export.id).error
    export.refresh_from_db()
    return directory_of(export)


def loaded(directory: Path) -> Any:
    return datasets.load_dataset(str(directory))


@pytest.mark.parametrize(
    ("kind", "name", "columns"),
    [
        ("rankings", "trl", {"prompt", "chosen", "rejected"}),
        ("rankings", "trl-implicit", {"chosen", "rejected"}),
        ("rankings", "trl-margin", {"chosen", "rejected", "margin"}),
        ("rankings", "openrlhf", {"chosen", "rejected", "margin"}),
        ("rankings", "openai-dpo", {"input", "preferred_output", "non_preferred_output"}),
        ("rankings", "hh", {"chosen", "rejected"}),
        ("rankings", "k-way", {"prompt", "completions", "tiers"}),
        ("demonstrations", "openai", {"messages"}),
        ("demonstrations", "prompt-completion", {"prompt", "completion"}),
        ("prompts", "prompt-only", {"prompt"}),
        ("thumbs", "kto", {"prompt", "completion", "label"}),
    ],
)
def test_datasets_loads_the_directory_split_by_split(project: Project, kind: str, name: str, columns: set[str]) -> None:
    fill(project)
    directory = exported_as(project, kind, name, validation_percent=30, test_percent=30)
    found = loaded(directory)
    assert set(found) == {"train", "validation", "test"}
    for split, rows in found.items():
        lines = (directory / f"{split}.jsonl").read_text().splitlines()
        assert set(rows.column_names) == columns
        assert [dict(row) for row in rows] == [json.loads(line) for line in lines]


def without_nothing(value: Any) -> Any:
    """A row of a table without what is unset, as records are written."""
    if isinstance(value, dict):
        kept = {name: without_nothing(inner) for name, inner in value.items()}
        if isinstance(kept.get("flags"), list):
            kept["flags"] = {flag["name"]: flag["value"] for flag in kept["flags"]}
        return {name: inner for name, inner in kept.items() if inner not in (None, [], {})}
    return [without_nothing(inner) for inner in value] if isinstance(value, list) else value


def test_a_table_holds_every_field_of_every_record(project: Project) -> None:
    fill(project)
    records = {record.id: encode(record) for record in rankings_in(exported(project))}
    found = loaded(exported_as(project, "rankings", "parquet"))
    rows = {row["id"]: without_nothing(dict(row)) for split in found.values() for row in split}
    assert rows == records
    assert {row["split"] for row in found["train"]} == {"train"}
    assert rows[min(rows)]["ratings"][0]["flags"] == {"rude": False, "kind": True}


@pytest.mark.parametrize("kind", ["rankings", "demonstrations", "prompts", "thumbs"])
def test_pyarrow_reads_a_table_without_datasets(project: Project, kind: str) -> None:
    import pyarrow.parquet as pq

    fill(project)
    directory = exported_as(project, kind, "parquet", validation_percent=0, test_percent=0)
    table = pq.read_table(directory / "train.parquet")
    assert table.num_rows >= 1
    assert table.schema.field("split").type == "string"
    assert set(table.column("id").to_pylist()) == {
        json.loads(line)["id"]
        for line in (directory_of(exported(project, kind)) / f"{kind}.jsonl").read_text().splitlines()
    }


def test_row_groups_of_one_size_give_the_same_rows_as_one(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    fill(project)
    whole = pq.read_table(exported_as(project, "rankings", "parquet", test_percent=0) / "train.parquet")
    monkeypatch.setattr("labeling.exports.formats.parquet.ROW_GROUP_SIZE", 3)
    path = exported_as(project, "rankings", "parquet", test_percent=0) / "train.parquet"
    assert pq.ParquetFile(path).num_row_groups > 2
    assert pq.read_table(path).equals(whole)


def test_trees_come_back_as_the_same_rankings(project: Project) -> None:
    fill(project)
    elsewhere = make_project(slug="elsewhere")
    directory = exported_as(project, "rankings", "oasst", test_percent=40)
    paths = sorted(directory.glob("*.jsonl.gz"))
    assert len(paths) == 3
    for path in paths:
        report = import_rankings(path, project=elsewhere, by=None)
        assert (report.format, report.num_refused) == ("oasst", 0)
    assert orders(rankings_in(exported(elsewhere))) == orders(rankings_in(exported(project)))
    assert Comparison.objects.filter(project=elsewhere).count() == NUM


def orders(records: list[Any]) -> set[Any]:
    """What was preferred to what, in texts: the ids are another project's."""
    found = set()
    for record in records:
        text = {completion.id: (completion.content, completion.policy) for completion in record.completions}
        tiers = tuple(frozenset(text[name] for name in tier) for tier in record.tiers)
        found.add((tuple(message.content for message in record.messages), tiers))
    return found


# trl, unmodified. Two steps each; the first loading of it takes half a minute.


def arguments(out: Path) -> dict[str, Any]:
    return {
        "output_dir": str(out), "max_steps": 2, "per_device_train_batch_size": 2, "report_to": [], "use_cpu": True,
        "save_strategy": "no", "logging_steps": 1, "bf16": False, "gradient_checkpointing": False, "disable_tqdm": True,
    }  # fmt: skip


def policy_of(directory: Path) -> tuple[Any, Any]:
    from language.checkpoints import load_causal_lm, load_tokenizer

    return load_causal_lm(directory), load_tokenizer(directory)


def losses(trainer: Any) -> list[float]:
    trainer.train()
    return [step["loss"] for step in trainer.state.log_history if "loss" in step]


@pytest.mark.parametrize("name", ["openai", "prompt-completion"])
def test_sft_trainer_takes_two_steps(project: Project, tiny_policy: Path, tmp_path: Path, name: str) -> None:
    trl = pytest.importorskip("trl")
    fill(project)
    model, tokenizer = policy_of(tiny_policy)
    rows = loaded(exported_as(project, "demonstrations", name, test_percent=0, validation_percent=0))["train"]
    settings = trl.SFTConfig(**arguments(tmp_path), max_length=128)
    trainer = trl.SFTTrainer(model, args=settings, train_dataset=rows, processing_class=tokenizer)
    assert len(losses(trainer)) == 2


@pytest.mark.parametrize("name", ["trl", "trl-implicit", "trl-margin"])
def test_reward_trainer_takes_two_steps(project: Project, tiny_policy: Path, tmp_path: Path, name: str) -> None:
    trl = pytest.importorskip("trl")
    from transformers import AutoModelForSequenceClassification

    fill(project)
    _, tokenizer = policy_of(tiny_policy)
    model = AutoModelForSequenceClassification.from_pretrained(tiny_policy, num_labels=1)
    rows = loaded(exported_as(project, "rankings", name, test_percent=0, validation_percent=0))["train"]
    settings = trl.RewardConfig(**arguments(tmp_path), max_length=128)
    trainer = trl.RewardTrainer(model, args=settings, train_dataset=rows, processing_class=tokenizer)
    assert len(losses(trainer)) == 2


def test_dpo_trainer_takes_two_steps(project: Project, tiny_policy: Path, tmp_path: Path) -> None:
    trl = pytest.importorskip("trl")
    fill(project)
    Completion.objects.filter(index=3).update(content="")  # which trl reads and learns from
    model, tokenizer = policy_of(tiny_policy)
    rows = loaded(exported_as(project, "rankings", "trl", test_percent=0, validation_percent=0))["train"]
    settings = trl.DPOConfig(**arguments(tmp_path), max_length=128)
    trainer = trl.DPOTrainer(model, args=settings, train_dataset=rows, processing_class=tokenizer)
    assert len(losses(trainer)) == 2


def test_kto_trainer_takes_two_steps(project: Project, tiny_policy: Path, tmp_path: Path) -> None:
    trl = pytest.importorskip("trl")
    fill(project)
    model, tokenizer = policy_of(tiny_policy)
    rows = loaded(exported_as(project, "thumbs", "kto", test_percent=0, validation_percent=0))["train"]
    settings = trl.KTOConfig(**arguments(tmp_path), max_length=128)
    trainer = trl.KTOTrainer(model, args=settings, train_dataset=rows, processing_class=tokenizer)
    assert len(losses(trainer)) == 2
