"""manage.py import_dialogues and import_rankings: what they say, and with which exit code they end."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from labeling.models import Dialogue, Prompt, Ranking
from tests.labeling.factories import make_project, make_user
from tests.labeling.imports.files import assistant, hh_pair, user, write_lines

pytestmark = pytest.mark.django_db


def run(command: str, *arguments: Any, **options: Any) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(command, *map(str, arguments), stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_it_tells_what_came_in(tmp_path: Path) -> None:
    project = make_project()
    path = write_lines(tmp_path / "pairs.jsonl.gz", [hh_pair(), hh_pair("Sure.")])
    out, _ = run("import_rankings", path, project=project.slug)
    assert out == "pairs.jsonl.gz (hh): 2 imported, 0 already there, 0 refused\n"
    assert Ranking.objects.count() == 2


def test_it_names_each_bad_line_and_ends_with_2(tmp_path: Path) -> None:
    project = make_project()
    path = write_lines(tmp_path / "pairs.jsonl", [hh_pair(), "{broken"])
    err = io.StringIO()
    with pytest.raises(CommandError, match="1 entries cannot be imported, so nothing was") as stopped:
        call_command("import_rankings", str(path), project=project.slug, stderr=err)
    assert stopped.value.returncode == 2
    assert err.getvalue().startswith("pairs.jsonl:2: not JSON at column 2")
    out, _ = run("import_rankings", path, project=project.slug, on_error="skip")
    assert "1 imported, 0 already there, 1 refused" in out


def test_it_takes_openings_as_prompts(tmp_path: Path) -> None:
    project, erin = make_project(), make_user(username="erin")
    path = write_lines(tmp_path / "a.jsonl", [{"messages": [user("Q"), assistant("A")]}])
    run("import_dialogues", path, project=project.slug, into="prompts", by="ERIN")
    assert Prompt.objects.get().created_by == erin
    assert not Dialogue.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "options", "complaint"),
    [
        (("absent.jsonl",), {}, "absent.jsonl: cannot be read: No such file"),
        (("absent.jsonl",), {"project": "nowhere"}, 'no project "nowhere"; there are: '),
        (("absent.jsonl",), {"by": "nobody"}, 'no user "nobody"'),
    ],
)
def test_what_a_person_can_mend_is_one_line(arguments: Any, options: dict[str, Any], complaint: str) -> None:
    project = make_project()
    with pytest.raises(CommandError) as stopped:
        run("import_rankings", *arguments, **{"project": project.slug, **options})
    assert str(stopped.value).startswith(complaint)
    assert stopped.value.returncode == 2
