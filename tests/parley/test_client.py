"""The client against a real server over a line that fails: all rows, nothing twice, files as they were."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from labeling import exports
from labeling.accounts.api_tokens import make_token
from labeling.models import Export, Project, Prompt, User
from parley import Client, ParleyError
from parley.connection import LONGEST_PAUSE, TRIES, Connection
from parley.files import download
from tests.labeling.factories import (
    make_chat,
    make_comparison,
    make_policy,
    make_prompt,
    make_served_policy,
    make_user,
)
from tests.parley.bad_line import BadLine

PROMPT = {"messages": [{"role": "user", "content": "What is a keyset?"}], "topic": "databases"}


def a_prompt(number: int) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": f"Number {number}?"}]}


def build(client: Client) -> dict[str, object]:
    asked = client.build_export("ours", "prompts")
    assert exports.build(asked["id"])
    return asked


def test_it_knows_whose_it_is(client: Client) -> None:
    assert (client.me()["owner"], client.me()["role"]) == ("erin", "engineer")


def test_it_walks_all_pages(client: Client, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parley.client.PAGE", 3)
    prompts = {str(make_prompt(project=project).id) for _ in range(7)}
    found = [prompt["id"] for prompt in client.prompts("ours")]
    assert sorted(found) == sorted(prompts)


def test_what_was_asked_for_holds_on_every_page(
    client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.client.PAGE", 3)
    for number in range(14):
        make_prompt(project=project, topic=("sums", "soups")[number % 2])
    assert [prompt["topic"] for prompt in client.prompts("ours", topic="sums")] == ["sums"] * 7


def test_bad_dialogues_stop_all_or_are_left_out_as_was_asked(client: Client, project: Project) -> None:
    answer = {"role": "assistant", "content": "Because."}
    dialogues = [{"messages": [{"role": "user", "content": "Why?"}, answer]}, {"messages": [answer, answer]}]
    with pytest.raises(ParleyError):
        client.add_dialogues("ours", dialogues)
    assert not project.dialogues.exists()
    counts = client.add_dialogues("ours", dialogues, on_error="skip")
    assert (counts["imported"], counts["repeated"], len(counts["refused"])) == (1, 0, 1)
    assert client.add_dialogues("ours", dialogues, on_error="skip")["repeated"] == 1


def test_it_sends_many_prompts_in_batches(client: Client, project: Project, line: BadLine) -> None:
    counts = client.add_prompts("ours", map(a_prompt, range(450)))
    assert counts == {"imported": 450, "repeated": 0, "refused": []}
    assert Prompt.objects.filter(project=project).count() == 450
    assert [seen[0] for seen in line.seen] == ["POST"] * 3


def test_a_thumb_over_a_bad_line_is_kept_once(client: Client, project: Project, line: BadLine) -> None:
    line.troubles[:] = ["cut after", 502]
    asked = [{"role": "user", "content": "When?"}]
    sent = client.send_feedback("ours", id="m-1", messages=asked, answer="Now.", thumb="down", reason="Late.")
    assert (sent["thumb"], sent["reason"], sent["outside_id"]) == ("down", "Late.", "m-1")
    assert [thumb["id"] for thumb in client.feedback("ours")] == [sent["id"]]
    with pytest.raises(ParleyError, match="Another thumb was sent under this id"):
        client.send_feedback("ours", id="m-1", messages=asked, answer="Now.", thumb="up")


def test_an_output_is_reported_and_read_again(client: Client, project: Project) -> None:
    owner = User.objects.get(username="erin")
    message = make_chat(project=project, author=owner).messages.get(position=1)
    sent = client.report("ours", kind="false", message_id=str(message.id))
    assert client.report("ours", kind="harmful", note="Worse.", message_id=str(message.id))["id"] == sent["id"]
    assert [(one["kind"], one["note"], one["state"]) for one in client.reports("ours")] == [
        ("harmful", "Worse.", "open")
    ]


@pytest.mark.parametrize("trouble", [429, 500, 502, 503, "cut before", "cut after"])
def test_a_write_over_a_bad_line_is_done_once(
    client: Client, project: Project, line: BadLine, trouble: int | str
) -> None:
    line.troubles[:] = [trouble, trouble]
    export = client.build_export("ours", "prompts")
    assert [str(pk) for pk in project.exports.values_list("id", flat=True)] == [export["id"]]
    keys = {headers["idempotency-key"] for _method, _path, headers in map(_lower, line.seen)}
    assert (len(line.seen), len(keys)) == (3, 1)


def _lower(seen: tuple[str, str, dict[str, str]]) -> tuple[str, str, dict[str, str]]:
    return seen[0], seen[1], {name.lower(): value for name, value in seen[2].items()}


def test_two_writes_have_two_keys(client: Client, project: Project) -> None:
    client.build_export("ours", "prompts")
    client.build_export("ours", "prompts")
    assert project.exports.count() == 2


def test_it_gives_up_in_the_end_and_says_what_it_met(client: Client, line: BadLine) -> None:
    line.troubles[:] = [503] * TRIES
    with pytest.raises(ParleyError, match="503") as caught:
        client.me()
    assert caught.value.status == 503
    line.troubles[:] = ["cut before"] * TRIES
    with pytest.raises(ParleyError, match="does not answer"):
        client.me()


def test_what_the_platform_refuses_is_not_asked_again(client: Client, line: BadLine) -> None:
    with pytest.raises(ParleyError) as caught:
        client.build_export("ours", "prompts", filters={"phase": "of the moon"})
    assert (caught.value.status, len(line.seen)) == (422, 1)
    assert "phase" in str(caught.value)
    with pytest.raises(ParleyError) as caught:
        list(client.prompts("ours/../ours"))
    assert caught.value.status == 404


def test_a_token_is_not_carried_to_where_a_redirect_leads(client: Client, line: BadLine, live_server: Any) -> None:
    with BadLine(live_server.url) as other:
        line.troubles[:] = [f"{other.url}/api/v1/me"]
        threading.Thread(target=other.handle_request, daemon=True).start()
        with pytest.raises(ParleyError) as caught:
            client.me()
    assert (caught.value.status, other.seen) == (307, [])


def test_it_waits_as_long_as_the_platform_asks_and_no_longer_than_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("parley.connection.time.sleep", waited.append)
    monkeypatch.setattr("parley.connection.random.uniform", lambda low, high: low)
    connection = Connection("http://platform", "token", seconds=1, first_pause=0.5)
    for attempt, asked in ((1, "7"), (1, ""), (3, ""), (3, "Wed, 21 Oct"), (1, "9999"), (20, "")):
        connection.wait(attempt, asked)
    assert waited == [7.0, 0.5, 2.0, 2.0, LONGEST_PAUSE, LONGEST_PAUSE]


def test_a_download_goes_on_where_it_broke_off(client: Client, line: BadLine, tmp_path: Path) -> None:
    client.add_prompts("ours", map(a_prompt, range(200)))
    export = build(client)
    line.seen.clear()
    line.troubles[:] = [None, "cut within", 503, "cut within"]  # the export itself, then its files
    paths = client.download_export("ours", export["id"], tmp_path / "out")
    ranges = [headers["range"] for _method, _path, headers in map(_lower, line.seen) if "range" in headers]
    assert len(ranges) >= 2
    assert {path.name for path in paths} >= {"prompts.jsonl", "manifest.json"}
    assert not list((tmp_path / "out").glob("*.part"))
    stored = exports.exports_folder() / export["id"]
    for path in paths:
        assert path.read_bytes() == (stored / path.name).read_bytes()
    line.seen.clear()
    client.download_export("ours", export["id"], tmp_path / "out")
    assert len(line.seen) == 1  # all is there already


def test_bytes_that_are_not_those_promised_are_thrown_away(client: Client, tmp_path: Path) -> None:
    make_prompt(project=Project.objects.get())
    export = build(client)
    file = exports.exports_folder() / export["id"] / "prompts.jsonl"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes().replace(b"about", b"abuot"))
    with pytest.raises(ParleyError, match="manifest"):
        client.download_export("ours", export["id"], tmp_path)
    assert not list(tmp_path.glob("prompts.jsonl*")), "what is wrong is not gone on with"


@pytest.mark.parametrize(("held", "trouble"), [(0.5, None), (0.5, "whole"), (1.0, None)])
def test_what_an_earlier_download_left_is_gone_on_with(
    client: Client, line: BadLine, tmp_path: Path, held: float, trouble: str | None
) -> None:
    """Also where the platform sends all of it once more, and where nothing was missing any more."""
    client.add_prompts("ours", map(a_prompt, range(50)))
    export = build(client)
    content = (exports.exports_folder() / str(export["id"]) / "prompts.jsonl").read_bytes()
    (tmp_path / "prompts.jsonl.part").write_bytes(content[: int(len(content) * held)])
    files = client.export("ours", str(export["id"]))["files"]
    before = [file["name"] for file in files].index("prompts.jsonl")
    line.troubles[:] = [None, *[None] * before, trouble]
    client.download_export("ours", str(export["id"]), tmp_path)
    assert (tmp_path / "prompts.jsonl").read_bytes() == content
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "..", ".", "a/b", ""])
def test_a_platform_cannot_write_outside_the_folder(tmp_path: Path, name: str) -> None:
    connection = Connection("http://127.0.0.1:9", "token", seconds=1)
    with pytest.raises(ParleyError, match="no plain name"):
        download(connection, "path", {"name": name, "sha256": "0" * 64, "size": 1}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_it_waits_for_an_export_and_says_why_there_is_none(client: Client) -> None:
    asked = client.build_export("ours", "prompts")
    states = []

    def on_progress(export: dict[str, object]) -> None:
        states.append(export["state"])
        exports.build(asked["id"])

    done = client.wait_for_export("ours", asked["id"], every=0, on_progress=on_progress)
    assert (states, done["state"]) == (["waiting"], "done")
    other = client.build_export("ours", "prompts")
    client.cancel_export("ours", other["id"])
    with pytest.raises(ParleyError, match="cancelled"):
        client.wait_for_export("ours", other["id"], every=0)
    with pytest.raises(ParleyError, match="not done"):
        client.download_export("ours", other["id"], Path("nowhere"))
    assert Export.objects.get(id=other["id"]).state == Export.State.CANCELLED


def test_it_promotes_by_name(client: Client, project: Project) -> None:
    make_served_policy()
    with pytest.raises(ParleyError, match="People were not asked"):
        client.promote("ours", "served")
    assert client.promote("ours", "served", reason="It was tried by hand.")["number"] == 2
    assert next(one["policy"] for one in client.rounds("ours")) == "served"
    make_policy(name="newest")
    with pytest.raises(ParleyError, match="no policy"):
        client.promote("ours", "missing")
    assert project.rounds.count() == 2


def test_a_program_ranks_as_its_owner(line: BadLine, project: Project) -> None:
    alice: User = make_user(username="alice", projects=[project])
    text = make_token(owner=alice, name="t", scopes=["rank", "read"], life=timedelta(days=1))[1]
    make_comparison(project=project)
    make_comparison(project=project)
    with Client(line.url, text, first_pause=0.01) as program:
        first = program.claim("ours")["lease"]
        program.skip("ours", first["id"], reason="not my topic")
        lease = program.claim("ours")["lease"]
        line.troubles[:] = ["cut after"]
        done = program.submit("ours", lease["id"], {"tiers": [[one["id"] for one in lease["completions"]]]})
        assert done["counts"]
        assert [one["id"] for one in program.rankings("ours")] == [done["ranking"]["id"]]
        assert program.claim("ours")["lease"] is None
