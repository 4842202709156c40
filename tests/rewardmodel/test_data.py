"""Reading rankings: what is refused, what is left out and counted, and who sees whom across splits."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from records import (
    Demonstration,
    ManifestError,
    Message,
    Ranking,
    RecordError,
    encode,
    publish_directory,
    write_jsonl,
)
from rewardmodel.data import DataError, load_demonstrations, load_rankings, read_rankings
from tests.rewardmodel.factories import make_ranking


def write(path: Path, rankings: list[Ranking]) -> Path:
    write_jsonl(path, rankings)
    return path


def export(directory: Path, rankings: list[Ranking], **facts: object) -> Path:
    staging = directory.with_name("staging")
    staging.mkdir()
    write_jsonl(staging / "rankings.jsonl", rankings)
    publish_directory(staging, directory, **facts)
    return directory


def test_it_reads_an_export_and_names_it_by_its_manifest(tmp_path: Path) -> None:
    rankings = [make_ranking(id=f"r-{i}", prompt=f"Question {i}?", split="train") for i in range(3)]
    loaded = load_rankings(export(tmp_path / "export", rankings, id="e-7"))
    assert list(loaded.rankings) == rankings
    assert loaded.source.export == "e-7"
    assert len(loaded.source.sha256) == 64
    assert loaded.left_out == {}


def test_it_reads_a_plain_file_too(tmp_path: Path) -> None:
    rankings = [make_ranking(split="train")]
    assert list(load_rankings(write(tmp_path / "some.jsonl", rankings)).rankings) == rankings


def test_what_cannot_teach_is_left_out_and_counted(tmp_path: Path) -> None:
    rankings = [
        make_ranking(id="good", prompt="One?", split="train"),
        make_ranking(
            id="abstained", prompt="Two?", tiers=[], abstained="both are in a foreign language", split="train"
        ),
        make_ranking(id="tied", prompt="Three?", tiers=[[0, 1, 2]], split="train"),
        make_ranking(id="leaks", prompt="FOUR  ?", split="train"),
        make_ranking(id="held", prompt="four ?", split="test"),
    ]
    loaded = load_rankings(write(tmp_path / "rankings.jsonl", rankings))
    assert [ranking.id for ranking in loaded.rankings] == ["good", "held"]
    assert loaded.left_out == {"abstained": 1, "all_tied": 1, "leaking": 1}


def test_every_trainers_ranking_of_a_comparison_counts(tmp_path: Path) -> None:
    rankings = [
        make_ranking(id="by-alice", comparison_id="c-1", trainer="alice", split="train"),
        make_ranking(id="by-bob", comparison_id="c-1", trainer="bob", tiers=[[2], [1], [0]], split="train"),
    ]
    assert len(load_rankings(write(tmp_path / "rankings.jsonl", rankings)).rankings) == 2


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"tiers": [["c-r-1-0"], ["c-r-1-0"], ["c-r-1-1"], ["c-r-1-2"]]}, r"rankings.jsonl:1: ranking r-1.*twice"),
        ({"tiers": [["c-r-1-0"], ["c-r-1-1"]]}, "leaves out completion c-r-1-2"),
        ({"completions": [{"id": "a", "content": "x"}], "tiers": [["a"]]}, '"completions" needs at least 2'),
        ({"messages": [{"role": "user", "content": "  "}]}, r':1: ranking r-1: "messages\[0\].content" is empty'),
        ({"colour": "red"}, 'unknown field "colour"'),
        ({"tiers": "best first"}, '"tiers" must be a list'),
    ],
)
def test_a_broken_ranking_is_refused_with_file_line_and_field(
    tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    path = tmp_path / "rankings.jsonl"
    path.write_text(json.dumps({**encode(make_ranking()), **change}) + "\n")
    with pytest.raises(RecordError, match=complaint):
        load_rankings(path)


def test_only_a_policy_that_stopped_at_once_has_an_empty_completion(tmp_path: Path) -> None:
    ranking = make_ranking(completions=("Paris.", ""))
    assert len(list(read_rankings(write(tmp_path / "sampled.jsonl", [ranking])))) == 1
    written = replace(ranking, completions=tuple(replace(c, policy=None) for c in ranking.completions))
    with pytest.raises(RecordError, match=r'"completions\[1\].content" is empty'):
        list(read_rankings(write(tmp_path / "written.jsonl", [written])))


def test_ids_that_clash_are_refused(tmp_path: Path) -> None:
    twice = [make_ranking(id="r-1"), make_ranking(id="r-1")]
    with pytest.raises(RecordError, match=r'twice.jsonl:2: ranking r-1: "id" is used twice'):
        load_rankings(write(tmp_path / "twice.jsonl", twice))
    other = [make_ranking(id="r-1", comparison_id="c"), make_ranking(id="r-2", comparison_id="c", prompt="Else?")]
    with pytest.raises(RecordError, match="other messages or completions here than in ranking r-1"):
        load_rankings(write(tmp_path / "other.jsonl", other))


def test_demonstrations_that_are_held_out_are_no_references(tmp_path: Path) -> None:
    said = (Message(role="user", content="Hello!"), Message(role="assistant", content="Hi."))
    splits = (None, "train", "validation", "test")
    write_jsonl(tmp_path / "d.jsonl", [Demonstration(id=str(split), messages=said, split=split) for split in splits])
    _, found = load_demonstrations(tmp_path / "d.jsonl")
    assert [demonstration.id for demonstration in found] == ["None", "train"]


def test_an_export_that_is_not_what_its_manifest_says_is_refused(tmp_path: Path) -> None:
    directory = export(tmp_path / "export", [make_ranking()])
    with open(directory / "rankings.jsonl", "a") as file:
        file.write("\n")
    with pytest.raises(ManifestError, match=r"rankings\.jsonl is damaged"):
        load_rankings(directory)
    with pytest.raises(ManifestError, match='"format_version" is 99'):
        load_rankings(export(tmp_path / "newer", [make_ranking()], format_version=99))
    with pytest.raises(DataError, match=r"holds no demonstrations.jsonl"):
        load_demonstrations(export(tmp_path / "rankings-only", [make_ranking()]))
    with pytest.raises(DataError, match="no such file or directory"):
        load_rankings(tmp_path / "nowhere")
    with pytest.raises(DataError, match="holds no rankings"):
        load_rankings(write(tmp_path / "empty.jsonl", []))
