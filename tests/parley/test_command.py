"""The command `parley` as a process of its own, against a real server."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labeling import exports
from labeling.models import Project, Prompt
from tests.labeling.factories import make_prompt, make_served_policy

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def parley(live_server: Any, token: str) -> Any:
    def run(*words: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PARLEY_URL": live_server.url, "PARLEY_TOKEN": token, **variables}
        command = [sys.executable, "-m", "parley", *words]
        return subprocess.run(
            command, cwd=CHECKOUT, env=environment, input=stdin, capture_output=True, text=True, timeout=60
        )

    return run


def test_it_lists_in_columns_and_as_json(parley: Any, project: Project) -> None:
    assert parley("projects").stdout == f"ours\tOurs\t{project.policy.name}\n"
    assert json.loads(parley("projects", "--json").stdout)["slug"] == "ours"
    assert parley("rounds", "ours").stdout.startswith(f"1\t{project.policy.name}\t")
    assert parley("me").stdout.startswith("erin\tengineer\t")


def test_a_text_cannot_command_the_terminal(parley: Any, project: Project) -> None:
    make_prompt(project=project, content="\x1b[2Jgone\nfalse line\tcell")
    line = parley("prompts", "list", "ours").stdout
    assert line.count("\n") == 1
    assert "\x1b" not in line
    assert line.count("\t") == 2


def test_prompts_come_from_standard_input_and_files(parley: Any, project: Project, tmp_path: Path) -> None:
    lines = "".join(json.dumps({"messages": [{"role": "user", "content": f"{n}?"}]}) + "\n" for n in range(3))
    assert parley("prompts", "add", "ours", "-", stdin=lines).stdout == "3\t0\t0\n"
    (tmp_path / "more.jsonl").write_text(f"{lines}\nnot json\n")
    failed = parley("prompts", "add", "ours", str(tmp_path / "more.jsonl"))
    assert (failed.returncode, "more.jsonl:5: is not JSON" in failed.stderr) == (2, True)
    assert Prompt.objects.filter(project=project).count() == 3


def test_an_export_is_built_listed_and_downloaded(parley: Any, project: Project, tmp_path: Path) -> None:
    make_prompt(project=project, topic="sums")
    built = parley("exports", "build", "ours", "prompts", "--filter", 'topics=["sums"]', "--json")
    export = json.loads(built.stdout)
    assert export["filters"]["topics"] == ["sums"]
    assert parley("exports", "download", "ours", export["id"], str(tmp_path)).returncode == 2
    exports.build(export["id"])
    assert "\tdone\t1" in parley("exports", "watch", "ours", export["id"]).stdout
    files = parley("exports", "download", "ours", export["id"], str(tmp_path / "out"))
    assert files.returncode == 0
    assert (tmp_path / "out" / "prompts.jsonl").is_file()
    assert export["id"] in parley("exports", "list", "ours").stdout


def test_promoting_asks_first(parley: Any, project: Project) -> None:
    make_served_policy()
    kept = parley("promote", "ours", "served", stdin="no\n")
    assert (kept.returncode, project.rounds.count()) == (2, 1)
    unasked = parley("promote", "ours", "served", "--yes")
    assert (unasked.returncode, "People were not asked" in unasked.stderr) == (2, True)
    assert parley("promote", "ours", "served", "--reason", "Tried by hand.", stdin="yes\n").returncode == 0
    project.refresh_from_db()
    assert project.policy.name == "served"


def test_what_a_person_can_mend_is_one_line_and_status_2(parley: Any) -> None:
    for failed, words in (
        (parley("me", PARLEY_TOKEN=""), "PARLEY_TOKEN is not set"),
        (parley("me", PARLEY_TOKEN="parley_wrong"), "revoked"),
        (parley("rounds", "missing"), "nothing here"),
        (parley("exports", "build", "ours", "prompts", "--filter", "x"), "NAME=VALUE"),
        (parley("prompts", "add", "ours", "/no/such/file"), "No such file"),
    ):
        assert failed.returncode == 2
        assert words in failed.stderr
        assert "Traceback" not in failed.stderr
        assert len(failed.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("parley ex", "exports"),
        ("parley exports down", "download"),
        ("parley exports build ours de", "demonstrations"),
        ("parley exports build ours rankings --fo", "--format"),
        ("parley exports build --out ex", "exported"),
        ("parley exports download ours 7 ex", "exported"),
        ("parley prompts add ours li", "lines.jsonl"),
    ],
)
def test_a_shell_completes_it(typed: str, offered: str, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash on this machine")
    script = subprocess.run(
        [sys.executable, "-m", "parley", "completion", "bash"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout
    (tmp_path / "exported").mkdir()
    for name in ("explained.txt", "lines.jsonl"):
        (tmp_path / name).touch()
    asked = f"""{script}
        [[ $(complete -p parley) =~ " -F "([^ ]+) ]]
        COMP_WORDS=({typed}); COMP_CWORD={len(typed.split()) - 1}
        ${{BASH_REMATCH[1]}}
        echo "${{COMPREPLY[*]}}"
    """
    done = subprocess.run([bash, "-c", asked], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == [offered]
