"""The methods section comes from a manifest alone, names nobody, and says what an export did not record."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from records import ManifestError, publish_directory
from records.methods import methods_section


def older_manifest(**changes: Any) -> dict[str, Any]:
    """As an export was published before methods were recorded."""
    counts = {
        "records": 1_200, "comparisons": 400, "pairs": 5_000, "tied_pairs": 31, "abstained": 2, "trainers": 7,
        "by_trainer_kind": {"imported": 200, "person": 1_000}, "by_split": {"test": 200, "train": 1_000},
        "by_policy": {"none": 4, "policy-1": 796}, "left_out": {"retracted": 3, "gold": 40},
    }  # fmt: skip
    return {
        "format_version": 1,
        "format": "records",
        "kind": "rankings",
        "filters": {"validation_percent": 0, "test_percent": 10},
        "splits": {"train": 90, "validation": 0, "test": 10, "by": "prompt"},
        "guideline_versions": [2, 3],
        "counts": counts,
        **changes,
    }


def section(**changes: Any) -> str:
    return methods_section(older_manifest(**changes), manifest_sha256="ab" * 32)


def test_an_older_export_says_what_it_did_not_record() -> None:
    text = section()
    assert "1,200 rankings of 400 comparisons" in text
    assert "7 trainers; how many of which kind: not recorded." in text
    assert "Versions of the guidelines: 2, 3; their dates and hashes: not recorded." in text
    assert "Hashes of the policies and how they were sampled: not recorded." in text
    assert "How comparisons were assigned: not recorded." in text
    assert "Agreement between trainers with its interval: not recorded." in text
    assert "Parley (version not recorded)" in text
    assert "3 taken back by whoever made them; 40 rankings of gold items" in text


def test_chosen_trainers_are_a_number() -> None:
    text = section(filters={"trainers": ["amber-otter", "Jane Doe"], "since": "2026-11-01"})
    assert "Filters: from 2026-11-01; the work of 2 chosen trainers." in text
    assert "Records without any filter: not recorded; with them: 1,200." in text
    assert "otter" not in text
    assert "Jane" not in text


def test_what_people_wrote_does_not_break_the_markdown() -> None:
    text = section(filters={"topics": ["a\n## b", "*c*"]})
    assert "topics a \\#\\# b, \\*c\\*" in text


def test_a_manifest_of_something_else_is_refused() -> None:
    with pytest.raises(ManifestError, match="name the directory of an export"):
        methods_section({"files": {}, "kind": "policy"}, manifest_sha256="")


def printed(directory: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "records.methods", str(directory)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_is_printed_of_whole_files_and_refused_of_damaged_ones(tmp_path: Path) -> None:
    staging, target = tmp_path / "staging", tmp_path / "export"
    staging.mkdir()
    (staging / "rankings.jsonl").write_text("{}\n")
    sha256 = publish_directory(staging, target, **older_manifest())
    whole = printed(target)
    assert (whole.returncode, whole.stderr) == (0, "")
    assert whole.stdout == methods_section(json.loads((target / "manifest.json").read_text()), manifest_sha256=sha256)
    (target / "rankings.jsonl").write_text("[]\n")
    damaged = printed(target)
    assert (damaged.returncode, damaged.stdout) == (2, "")
    assert "rankings.jsonl is damaged" in damaged.stderr
