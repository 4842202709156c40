"""What the API gives and takes: as much as its pages would to the same person, by the same functions."""

import json
import uuid
from typing import Any

import pytest

from labeling import exports as labeling_exports
from labeling.exports.files import directory_of
from labeling.models import AuditEvent, Comparison, Dialogue, Prompt, Ranking, Round
from labeling.rounds.errors import RoundError
from tests.labeling.api.api_client import Program, ids_of_all_pages
from tests.labeling.factories import (
    make_comparison,
    make_comparisons,
    make_dialogue,
    make_project,
    make_prompt,
    make_reference,
    make_thumb,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Any:
    return make_project(slug="ours")


@pytest.fixture
def erin(project: Any) -> Program:
    return Program(make_user(username="erin", projects=[project]))


@pytest.fixture
def alice(project: Any) -> Program:
    return Program(make_user(username="alice", projects=[project]))


def ids(answer: Any) -> set[str]:
    assert answer.status_code == 200, answer.content
    return {row["id"] for row in answer.json()["results"]}


def rank(program: Program, *, best_last: bool = False) -> Any:
    lease = program.post("projects/ours/claim").json()["lease"]
    tiers = [[one["id"]] for one in lease["completions"]]
    return lease, {"tiers": tiers[::-1] if best_last else tiers, "unacceptable_from": 2, "seconds": 4.5}


@pytest.mark.parametrize("limit", [1, 3, 50])
def test_pages_give_every_row_once_in_either_order(project: Any, erin: Program, limit: int) -> None:
    prompts = {str(make_prompt(project=project).id) for _ in range(7)}
    assert ids_of_all_pages(erin, "projects/ours/prompts", limit=limit) == sorted(prompts)
    exports = [
        str(labeling_exports.request_export(project, kind="prompts", by=None, notify_worker=False).id) for _ in range(5)
    ]
    assert ids_of_all_pages(erin, "projects/ours/exports", limit=limit) == exports[::-1]


def test_rows_that_come_between_two_pages_neither_repeat_nor_hide_others(project: Any, erin: Program) -> None:
    first_rows = [
        str(labeling_exports.request_export(project, kind="prompts", by=None, notify_worker=False).id) for _ in range(4)
    ]
    page = erin.get("projects/ours/exports", limit=2).json()
    labeling_exports.request_export(project, kind="prompts", by=None, notify_worker=False)
    rest = erin.get("projects/ours/exports", limit=2, cursor=page["next"]).json()
    assert [row["id"] for row in page["results"] + rest["results"]] == first_rows[::-1]
    assert rest["next"] is None


@pytest.mark.parametrize("cursor", ["x", "W10", "WyJhIl0", "WzEsMl0", "bnVsbA", "WyJhIiwiYiJd", "é"])
def test_a_cursor_that_is_none_is_refused(erin: Program, cursor: str) -> None:
    for path in ("projects/ours/prompts", "projects/ours/exports", "projects/ours/rounds"):
        answer = erin.get(path, cursor=cursor)
        assert (answer.status_code, answer.json()["where"]) == (422, "query.cursor")


def test_a_page_has_its_limits(erin: Program) -> None:
    assert erin.get("projects/ours/prompts", limit=201).status_code == 422
    assert erin.get("projects/ours/prompts", limit=0).status_code == 422


def test_pages_cost_the_same_however_long(project: Any, erin: Program, django_assert_max_num_queries: Any) -> None:
    for _ in range(12):
        make_dialogue(project=project, author=make_user(), state="accepted")
    make_comparisons(project=project, num=12)
    for _ in range(12):
        make_thumb(project=project, policy=project.policy)
    for path in ("dialogues", "comparisons", "rankings", "exports", "rounds", "prompts", "feedback"):
        with django_assert_max_num_queries(7):
            assert erin.get(f"projects/ours/{path}").status_code == 200


def test_dialogues_are_ones_own_and_what_ones_role_may_read(project: Any, alice: Program, erin: Program) -> None:
    rita = Program(make_user(username="rita", projects=[project]))
    bob = make_user(username="bob", projects=[project])
    states = ("draft", "submitted", "accepted", "returned", "withdrawn")
    written = {state: str(make_dialogue(project=project, author=bob, state=state).id) for state in states}
    mine = str(make_dialogue(project=project, author=alice.token.owner).id)
    path = "projects/ours/dialogues"
    assert ids(alice.get(path)) == {mine}
    assert ids(erin.get(path)) == {written["accepted"]}
    assert ids(rita.get(path)) == {written["submitted"], written["accepted"], written["returned"]}
    assert ids(rita.get(path, state="accepted")) == {written["accepted"]}
    assert alice.get(f"{path}/{written['accepted']}").status_code == 404
    one = erin.get(f"{path}/{written['accepted']}").json()
    assert one["author"] == bob.pseudonym
    assert [message["content"] for message in one["messages"]][-1] == "Paris."
    assert "bob" not in json.dumps(one).lower()


def test_prompts_come_in_once_and_the_audit_says_who_brought_them(project: Any, erin: Program) -> None:
    given = {
        "prompts": [{"messages": [{"role": "user", "content": f"Number {n}?"}], "topic": "sums"} for n in (1, 2, 2)]
    }
    answer = erin.post("projects/ours/prompts", given)
    assert answer.status_code == 201
    assert answer.json() == {"imported": 2, "repeated": 1, "refused": []}
    assert erin.post("projects/ours/prompts", given).json()["imported"] == 0
    assert set(Prompt.objects.values_list("project", "topic", "source")) == {(project.id, "sums", "api")}
    assert AuditEvent.objects.filter(verb="import dialogues", by=erin.token.owner).exists()


def test_a_dialogue_is_no_prompt_and_a_prompt_no_dialogue(project: Any, erin: Program) -> None:
    question, answer = {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}
    refused = erin.post("projects/ours/prompts", {"prompts": [{"messages": [question, answer]}]})
    assert (refused.status_code, refused.json()["where"]) == (422, "body.prompts[0].messages")
    assert erin.post("projects/ours/dialogues", {"dialogues": [{"messages": [question]}]}).status_code == 422
    taken = erin.post("projects/ours/dialogues", {"dialogues": [{"messages": [question, answer]}]})
    assert taken.json()["imported"] == 1
    assert Dialogue.objects.get().state == Dialogue.State.ACCEPTED


def test_a_bad_dialogue_stops_all_or_is_left_out_as_asked(project: Any, erin: Program) -> None:
    good = {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}]}
    bad = {"messages": [{"role": "assistant", "content": "Hello."}, {"role": "assistant", "content": "Hello?"}]}
    given = {"dialogues": [good, bad]}
    stopped = erin.post("projects/ours/dialogues", given)
    assert (stopped.status_code, stopped.json()["where"]) == (422, "body.dialogues[1]")
    assert not Dialogue.objects.exists()
    taken = erin.post("projects/ours/dialogues", {**given, "on_error": "skip"}).json()
    assert taken["imported"] == 1
    assert [one["where"] for one in taken["refused"]] == ["body.dialogues[1]"]


def test_an_export_is_asked_for_watched_and_downloaded(project: Any, erin: Program) -> None:
    make_prompt(project=project, content="What is a keyset?")
    asked = erin.post("projects/ours/exports", {"kind": "prompts"}).json()
    path = f"projects/ours/exports/{asked['id']}"
    assert (asked["state"], erin.get(path).json()["files"]) == ("waiting", [])
    assert labeling_exports.build(asked["id"])
    done = erin.get(path).json()
    assert (done["state"], done["num_records"]) == ("done", 1)
    assert "prompts.jsonl" in {file["name"] for file in done["files"]}
    file = erin.get(f"{path}/files/prompts.jsonl")
    assert b"What is a keyset?" in file.getvalue()
    assert AuditEvent.objects.filter(verb="download export", by=erin.token.owner).count() == 1
    assert erin.get(f"{path}/files/..%2Fsecret_key").status_code == 404
    assert erin.post(f"{path}/cancel").json()["state"] == "done"


def test_an_export_is_refused_with_a_reason_and_can_be_stopped(project: Any, erin: Program) -> None:
    refused = erin.post("projects/ours/exports", {"kind": "prompts", "filters": {"phase": "of the moon"}})
    assert refused.status_code == 422
    assert "phase" in refused.json()["what"]
    asked = erin.post("projects/ours/exports", {"kind": "prompts"}).json()
    assert erin.post(f"projects/ours/exports/{asked['id']}/cancel").json()["state"] == "cancelled"


def test_a_comparison_is_claimed_ranked_and_seen_by_engineers(project: Any, alice: Program, erin: Program) -> None:
    comparison = make_comparison(project=project)
    lease, order = rank(alice)
    assert "policy" not in json.dumps(lease)
    assert alice.post("projects/ours/claim").json()["lease"]["id"] == lease["id"]
    answer = alice.post(f"projects/ours/leases/{lease['id']}/ranking", order)
    assert answer.status_code == 201
    assert answer.json()["counts"] is True
    again = alice.post(f"projects/ours/leases/{lease['id']}/ranking", order)
    assert again.json()["ranking"]["id"] == answer.json()["ranking"]["id"]
    other = alice.post(f"projects/ours/leases/{lease['id']}/ranking", {**order, "tiers": order["tiers"][::-1]})
    assert other.status_code == 422
    row = erin.get("projects/ours/rankings").json()["results"][0]
    assert (row["trainer"], row["tiers"], row["layout"]) == (alice.token.owner.pseudonym, order["tiers"], "api")
    seen = erin.get(f"projects/ours/comparisons/{comparison.id}").json()
    assert (seen["state"], seen["num_rankings"], len(seen["completions"])) == ("done", 1, 4)
    nothing = alice.post("projects/ours/claim").json()
    assert (nothing["lease"], bool(nothing["reason"])) == (None, True)


def test_a_lease_is_ranked_by_its_trainer_in_its_project_alone(project: Any, alice: Program) -> None:
    elsewhere = make_project(slug="elsewhere")
    elsewhere.memberships.create(user=alice.token.owner)
    bob = Program(make_user(username="bob", projects=[project]))
    make_comparison(project=project)
    lease, order = rank(alice)
    assert bob.post(f"projects/ours/leases/{lease['id']}/ranking", order).status_code == 404
    assert alice.post(f"projects/elsewhere/leases/{lease['id']}/ranking", order).status_code == 404
    bound = Program(alice.token.owner, project=elsewhere)
    assert bound.post(f"projects/elsewhere/leases/{lease['id']}/ranking", order).status_code == 404
    assert not Ranking.objects.exists()


def test_an_order_without_sense_is_refused_in_a_sentence(project: Any, alice: Program) -> None:
    make_comparison(project=project)
    lease, order = rank(alice)
    refused = alice.post(f"projects/ours/leases/{lease['id']}/ranking", {**order, "tiers": order["tiers"][:-1]})
    assert refused.status_code == 422
    assert refused.json()["what"] == "Every completion needs exactly one place in the order."


def test_seconds_are_a_time_that_a_person_can_take_or_unknown(project: Any, alice: Program) -> None:
    make_comparison(project=project)
    lease, order = rank(alice)
    path = f"projects/ours/leases/{lease['id']}/ranking"
    for seconds in (-5, 1e300, 365 * 24 * 3600 + 1, "soon"):
        refused = alice.post(path, {**order, "seconds": seconds})
        assert (refused.status_code, refused.json()["where"]) == (422, "body.seconds")
    del order["seconds"]
    assert alice.post(path, order).json()["ranking"]["seconds"] is None
    assert Ranking.objects.get().seconds is None
    asked = labeling_exports.request_export(project, kind="rankings", by=None, notify_worker=False)
    assert labeling_exports.build(asked.id)
    lines = [line for path in directory_of(asked).rglob("*.jsonl") for line in path.read_text().splitlines()]
    assert ["seconds" in json.loads(line) for line in lines] == [False]


def test_a_program_that_ranks_sees_which_completion_was_cut(project: Any, alice: Program) -> None:
    make_comparison(project=project).completions.filter(index=1).update(finish_reason="length")
    lease, _order = rank(alice)
    assert sorted(one["finish_reason"] for one in lease["completions"]) == ["", "", "", "length"]


def test_a_note_on_the_ranking_is_kept_and_read_again(project: Any, alice: Program) -> None:
    make_comparison(project=project)
    lease, order = rank(alice)
    path = f"projects/ours/leases/{lease['id']}/ranking"
    refused = alice.post(path, {**order, "note": "x" * 5001})
    assert (refused.status_code, refused.json()["where"]) == (422, "body.note")
    assert alice.post(path, {**order, "note": "B was hard.\n"}).json()["ranking"]["note"] == "B was hard."
    assert [one["note"] for one in alice.get("projects/ours/rankings").json()["results"]] == ["B was hard."]


def test_a_flag_that_the_board_does_not_have_is_refused_with_those_it_has(project: Any, alice: Program) -> None:
    make_comparison(project=project)
    lease, order = rank(alice)
    path = f"projects/ours/leases/{lease['id']}/ranking"
    rating = {"completion_id": lease["completions"][0]["id"], "flags": {"fails_instruction": True, "rude": False}}
    refused = alice.post(path, {**order, "ratings": [rating]})
    assert refused.status_code == 422
    assert refused.json()["what"].startswith("There is no flag “rude”; the flags are fails_instruction, ")
    assert not Ranking.objects.exists()


def test_strengths_are_kept_asked_for_and_read_again(project: Any, alice: Program) -> None:
    type(project).objects.filter(id=project.id).update(asks_strengths=True)
    make_comparison(project=project)
    lease, order = rank(alice)
    path = f"projects/ours/leases/{lease['id']}/ranking"
    refused = alice.post(path, order)
    assert (refused.status_code, refused.json()["where"]) == (422, "body.strengths")
    refused = alice.post(path, {**order, "strengths": [1, 4, 1]})
    assert (refused.status_code, refused.json()["where"]) == (422, "body.strengths[1]")
    assert alice.post(path, {**order, "strengths": [1, 3]}).status_code == 422
    assert alice.post(path, {**order, "strengths": [1, 3, 2]}).json()["ranking"]["strengths"] == [1, 3, 2]
    assert [one["strengths"] for one in alice.get("projects/ours/rankings").json()["results"]] == [[1, 3, 2]]


def test_each_completion_is_rated_where_the_project_asks_for_it(project: Any, alice: Program) -> None:
    type(project).objects.filter(id=project.id).update(asks_ratings=True)
    make_comparison(project=project)
    lease, order = rank(alice)
    path = f"projects/ours/leases/{lease['id']}/ranking"
    names = [one["id"] for one in lease["completions"]]
    ratings = [{"completion_id": name, "overall": 4} for name in names]
    ratings[2]["overall"] = None
    refused = alice.post(path, {**order, "ratings": ratings[:3]})
    assert (refused.status_code, refused.json()["where"]) == (422, "body.ratings")
    assert names[2] in refused.json()["what"]
    assert [names[3] in one["what"] for one in refused.json()["others"]] == [True]
    ratings[2]["overall"] = 5
    assert alice.post(path, {**order, "ratings": ratings}).status_code == 201


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"tiers": [["x"]]}, "body.tiers[0][0]"),
        ({"ratings": [{"overall": 9}]}, "body.ratings[0].completion_id"),
        ({"speed": 1}, "body.speed"),
        ({"abstained": "a\0b"}, "body.abstained"),
        ({"unacceptable_from": -1}, "body.unacceptable_from"),
    ],
)
def test_an_error_names_the_field_as_its_sender_knows_it(
    project: Any, alice: Program, change: dict[str, Any], where: str
) -> None:
    make_comparison(project=project)
    lease, order = rank(alice)
    refused = alice.post(f"projects/ours/leases/{lease['id']}/ranking", {**order, **change})
    assert (refused.status_code, refused.json()["where"]) == (422, where)
    assert alice.get("projects/ours/rankings", limit=0).json()["where"] == "query.limit"


def test_a_skipped_comparison_does_not_come_back(project: Any, alice: Program) -> None:
    make_comparison(project=project)
    lease, _order = rank(alice)
    assert alice.post(f"projects/ours/leases/{lease['id']}/skip", {"reason": "not my topic"}).status_code == 204
    assert alice.post("projects/ours/claim").json()["lease"] is None


def test_trainers_see_their_own_rankings_and_nobody_sees_known_orders(
    project: Any, alice: Program, erin: Program
) -> None:
    bob = Program(make_user(username="bob", projects=[project]))
    make_comparison(project=project)
    make_reference(project=project)
    lease, order = rank(alice)
    alice.post(f"projects/ours/leases/{lease['id']}/ranking", order)
    assert len(ids(alice.get("projects/ours/rankings"))) == 1
    assert ids(bob.get("projects/ours/rankings")) == set()
    assert len(ids(erin.get("projects/ours/rankings"))) == 1
    assert ids(erin.get("projects/ours/comparisons")) == {
        str(pk) for pk in Comparison.objects.filter(use="work").values_list("id", flat=True)
    }


def test_a_policy_without_its_files_is_not_promoted(project: Any, erin: Program) -> None:
    other = make_project().policy
    answer = erin.post("projects/ours/promote", {"policy_id": str(other.id)})
    assert answer.status_code == 422
    assert other.name in answer.json()["what"]
    assert Round.objects.filter(project=project).count() == 1
    assert issubclass(RoundError, ValueError)


def test_a_promoted_policy_opens_the_next_round(project: Any, erin: Program) -> None:
    from tests.labeling.factories import make_served_policy

    policy = make_served_policy()
    found = erin.get("policies", name="served").json()["results"]
    assert [row["id"] for row in found] == [str(policy.id)]
    unasked = erin.post("projects/ours/promote", {"policy_id": found[0]["id"]})
    assert (unasked.status_code, Round.objects.filter(project=project).count()) == (422, 1)
    assert "Say why" in unasked.json()["what"]
    promotion = {"policy_id": found[0]["id"], "reason": "It was tried by hand."}
    answer = erin.post("projects/ours/promote", promotion, key="once")
    assert (answer.status_code, answer.json()["number"], answer.json()["policy"]) == (201, 2, "served")
    assert erin.post("projects/ours/promote", promotion, key="once").json() == answer.json()
    assert [row["number"] for row in erin.get("projects/ours/rounds").json()["results"]] == [2, 1]


def test_who_is_no_member_finds_nothing(project: Any) -> None:
    make_dialogue(project=project, author=make_user(), state="accepted")
    stranger = Program(make_user(username="charlie", role="engineer"))
    assert stranger.get("projects").json()["results"] == []
    for path in ("", "/dialogues", "/exports", "/rankings", "/comparisons", "/prompts", "/rounds"):
        assert stranger.get(f"projects/ours{path}").status_code == 404
    assert stranger.post("projects/ours/exports", {"kind": "prompts"}).status_code == 404
    assert stranger.get(f"projects/ours/exports/{uuid.uuid4()}").status_code == 404
