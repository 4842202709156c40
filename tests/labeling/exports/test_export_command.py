"""manage.py export DIR: what it writes, says, and refuses."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from labeling.models import Project
from records import verify_directory
from tests.labeling.exports.material import exported
from tests.labeling.factories import make_project, make_prompt

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(slug="cooking")


def run(directory: Path, *arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("export", str(directory), *arguments, stdout=out, **{"project": "cooking", **options})
    return out.getvalue()


def test_it_writes_what_the_platform_would(tmp_path: Path, project: Project) -> None:
    make_prompt(project=project, topic="soup")
    make_prompt(project=project, topic="stew")
    said = run(tmp_path / "out", "--kind", "prompts", "--topic", "soup")
    manifest = verify_directory(tmp_path / "out")
    assert said.startswith(f"{tmp_path / 'out'}: 1 prompts, manifest ")
    assert manifest["filters"]["topics"] == ["soup"]
    inside = exported(project, "prompts", topics=["soup"])
    verify_directory(tmp_path / "out", expected_sha256=inside.manifest_sha256)


def test_every_filter_has_its_flag(tmp_path: Path, project: Project) -> None:
    flags = "--guideline-version 1 --agreement-at-least 80 --split-by trainer --scrub --round 1 --trainer-kind person"
    run(tmp_path / "out", "--kind", "rankings", *flags.split())
    filters = verify_directory(tmp_path / "out")["filters"]
    assert (filters["guideline_versions"], filters["agreement_at_least"]) == ([1], 80)
    assert (filters["split_by"], filters["scrubs_personal_data"]) == ("trainer", True)
    said = ["--guideline-version", "1", "--split-by", "trainer", "--scrub", "--state", "accepted"]
    run(tmp_path / "said", "--kind", "demonstrations", *said)
    run(tmp_path / "prompts", "--kind", "prompts", "--scrub", "--split-by", "prompt")


def test_an_empty_directory_may_be_there(tmp_path: Path, project: Project) -> None:
    (tmp_path / "out").mkdir()
    run(tmp_path / "out", kind="prompts")
    verify_directory(tmp_path / "out")
    assert (tmp_path / "out" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"project": "nowhere"}, 'no project "nowhere"; there are: cooking'),
        ({"since": "soon"}, "must be a day such as"),
        ({"rounds": ["1"]}, "does not apply to prompts"),
    ],
)
def test_what_a_person_can_mend_is_one_line(
    tmp_path: Path, project: Project, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint) as stopped:
        run(tmp_path / "out", kind="prompts", **options)
    assert stopped.value.returncode == 2
    assert not (tmp_path / "out").exists()


def test_it_does_not_write_over_what_is_there(tmp_path: Path, project: Project) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CommandError, match="is there already and holds something"):
        run(tmp_path, kind="prompts")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, project: Project) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CommandError, match="cannot be written: Not a directory"):
        run(tmp_path / "file" / "out", kind="prompts")
