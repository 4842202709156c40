"""Triage: who may, in which order, what is revealed and noted, how a case is decided, and that pages stay quick."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from labeling.models import AuditEvent, Case, Completion, Filter, Project, Report, Screening, User, Withheld
from labeling.safety import cases, reports, triage
from labeling.safety.triage import TriageError
from tests.labeling.api.api_client import Program, ids_of_all_pages
from tests.labeling.factories import make_chat, make_comparison, make_project, make_user
from tests.labeling.safety.test_reports import answer_of, reported
from tests.labeling.signed_in import as_user, htmx_post, page_of

pytestmark = pytest.mark.django_db


def case_of(report: Report) -> Case:
    report.refresh_from_db()
    assert report.case is not None
    return report.case


def url(name: str, case: Case) -> str:
    return reverse(name, args=(case.project.slug, case.pk))


def test_the_queue_is_by_severity_reach_and_the_weight_of_who_reports(project: Project, rita: User) -> None:
    bob, carol, dave = (make_user(projects=[project]) for _ in range(3))
    for num in range(6):  # half of what Dave reported was so: his word weighs 1 + 3/6 · 5 = 3.5
        case = case_of(reported(project, dave, f"Earlier {num}"))
        triage.decide(case, agreed=num % 2 == 0, action="noted", why="Read.", by=rita)
    harmful = case_of(reported(project, bob, "Cruel.", "harmful"))  # 4 × 1 × 1
    false = [case_of(reported(project, person, "Untrue.", "false")) for person in (bob, carol)][-1]  # 2 × 2 × 1
    by_dave = case_of(reported(project, dave, "Slanted.", "biased"))  # 3 × 1 × 3.5
    other = case_of(reported(project, carol, "Odd.", "other"))  # 1 × 1 × 1
    mixed = [case_of(reported(project, person, "Vile.", "let through")) for person in (carol, dave)][-1]
    assert mixed.weight == 2.25  # the mean of 1 and 3.5
    found = [(case.id, case.priority) for case in triage.queue(project)]
    assert found[0] == (mixed.id, 18.0)  # 4 × 2 × 2.25
    assert found[1] == (by_dave.id, 10.5)
    assert set(found[2:4]) == {(harmful.id, 4.0), (false.id, 4.0)}
    assert found[4] == (other.id, 1.0)
    assert len(found) == 5


def test_a_decision_changes_the_weight_of_what_its_reporter_has_open(project: Project, alice: User, rita: User) -> None:
    earlier = [case_of(reported(project, alice, f"Earlier {num}")) for num in range(5)]
    waiting = case_of(reported(project, alice, "Cruel.", "harmful"))
    for case in earlier:
        triage.decide(case, agreed=True, action="noted", why="So it is.", by=rita)
    waiting.refresh_from_db()
    assert (waiting.weight, waiting.priority) == (6.0, 24.0)
    triage.reopen(earlier[0], by=rita)
    waiting.refresh_from_db()
    assert waiting.priority == 4.0  # four decided: not known yet
    assert earlier[0] in triage.queue(project)


def test_to_report_one_text_often_is_to_be_right_once(project: Project, alice: User, rita: User) -> None:
    rows = [reported(project, alice, "The same.") for _ in range(8)]
    triage.decide(case_of(rows[0]), agreed=True, action="noted", why="So it is.", by=rita)
    assert cases.weights_of(project.id, [alice.id]) == {alice.id: 1.0}


@pytest.mark.parametrize(("role", "status"), [("trainer", 403), ("engineer", 403), ("reviewer", 200), ("admin", 200)])
def test_reviewers_and_admins_triage(project: Project, alice: User, role: str, status: int) -> None:
    case = case_of(reported(project, alice))
    browser = as_user(make_user(role=role, projects=[project]))
    assert browser.get(reverse("triage", args=(project.slug,))).status_code == status
    assert browser.get(url("case", case)).status_code == status
    assert htmx_post(browser, url("reveal_case", case)).status_code == status
    if status == 403:
        decided = {"agreed": "yes", "action": "noted", "why": "So."}
        posts = [("decide_case", decided), ("follow_case", {"kind": "probe"}), ("reopen_case", {})]
        assert [browser.post(url(name, case), values).status_code for name, values in posts] == [403] * 3
        case.refresh_from_db()
        assert case.state == "open"


def test_a_case_is_its_projects(project: Project, alice: User) -> None:
    case = case_of(reported(project, alice))
    elsewhere = make_project()
    stranger = as_user(make_user(role="reviewer", projects=[elsewhere]))
    for slug in (project.slug, elsewhere.slug):
        assert stranger.get(reverse("case", args=(slug, case.id))).status_code == 404
        assert stranger.post(reverse("reveal_case", args=(slug, case.id))).status_code == 404
    assert not AuditEvent.objects.filter(verb="reveal reported text").exists()


def test_texts_are_shown_when_asked_for_and_that_is_noted(project: Project, alice: User, rita: User) -> None:
    message = answer_of(alice, project, "A cruel word")
    completion = Completion.objects.create(content="A cruel word", policy=project.policy)
    message.completion = completion
    message.save()
    screening = Screening.objects.create(
        project=project, filter=Filter.objects.bundled(), completion=completion, side="answered",
        text_sha256="0" * 64, verdict="block", category="HR", acted=True,
    )  # fmt: skip
    Withheld.objects.create(screening=screening, content="and what was kept back.")
    case = case_of(reports.report(project, by=alice, message=message, kind="harmful", note="See.")[0])
    page = page_of(as_user(rita), url("case", case))
    assert "See." in page
    for text in ("cruel word", "kept back", "Question 0?"):
        assert text not in page
    assert "cruel word" not in page_of(as_user(rita), reverse("triage", args=(project.slug,)))
    assert not AuditEvent.objects.filter(verb="reveal reported text").exists()
    shown = htmx_post(as_user(rita), url("reveal_case", case)).content.decode()
    for text in ("A cruel word", "and what was kept back.", "Question 0?"):
        assert text in shown
    event = AuditEvent.objects.get(verb="reveal reported text")
    assert (event.by, event.subject_id, event.detail) == (rita, str(case.id), {"withheld": True})
    assert "A cruel word" in as_user(rita).post(url("reveal_case", case)).content.decode()  # without scripts


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"agreed": "yes", "action": "noted", "why": "  "}, "Say why"),
        ({"agreed": "yes", "why": "So."}, "Choose what is done about it."),
        ({"action": "noted", "why": "So."}, "Say whether you agree."),
    ],
)
def test_a_decision_wants_its_reason_and_its_action(
    project: Project, alice: User, rita: User, values: dict[str, str], problem: str
) -> None:
    case = case_of(reported(project, alice))
    answer = as_user(rita).post(url("decide_case", case), values)
    assert (answer.status_code, problem in answer.content.decode()) == (422, True)
    case.refresh_from_db()
    assert case.state == "open"


def test_a_decision_is_kept_told_and_leads_to_the_next(project: Project, alice: User, rita: User) -> None:
    urgent, next_one = reported(project, alice, "Cruel.", "harmful"), reported(project, alice, "Odd.", "other")
    case = case_of(urgent)
    given = {"agreed": "no", "action": "noted", "why": "It is a quotation."}
    answer = as_user(rita).post(url("decide_case", case), given)
    assert answer.headers["Location"] == url("case", case_of(next_one))
    case.refresh_from_db()
    assert (case.state, case.action, case.why, case.decided_by) == ("not agreed", "", "It is a quotation.", rita)
    urgent.refresh_from_db()
    assert urgent.state == "handled"
    assert AuditEvent.objects.get(verb="decide on reports").detail == {"agreed": False, "action": "", "num": 1}
    assert as_user(rita).post(url("decide_case", case), given).status_code == 422  # somebody was faster
    again = case_of(reported(project, rita, "Cruel.", "harmful"))
    assert again.id != case.id
    assert "It is a quotation." in page_of(as_user(rita), url("case", again))  # the same text was decided on before
    decided = page_of(as_user(rita), reverse("decided_cases", args=(project.slug,)))
    assert url("case", case) in decided
    assert url("case", again) not in decided


def test_nobody_decides_on_what_they_reported_but_an_admin_may(project: Project, rita: User) -> None:
    adam = make_user(username="adam")
    case = case_of(reported(project, rita))
    with pytest.raises(TriageError, match="another reviewer"):
        triage.decide(case, agreed=True, action="noted", why="So.", by=rita)
    own = case_of(reported(project, adam, "Mine."))
    triage.decide(own, agreed=True, action="noted", why="So.", by=adam)
    case.refresh_from_db()
    assert (case.state, own.state) == ("open", "agreed")


def test_a_case_that_was_joined_meanwhile_is_not_decided_on(project: Project, alice: User, rita: User) -> None:
    case = case_of(reported(project, alice))
    Case.objects.filter(id=case.id).delete()
    with pytest.raises(TriageError, match="joined"):
        triage.decide(case, agreed=True, action="noted", why="So.", by=rita)


def test_pages_cost_the_same_however_many_reports_there_are(
    project: Project, rita: User, django_assert_max_num_queries: Any
) -> None:
    people = [make_user(projects=[project]) for _ in range(6)]
    for num, person in enumerate(people):
        for other in range(5):
            reported(project, person, f"Answer {num} {other}")
        reported(project, person, "The one", "harmful")
    browser = as_user(rita)
    queue = reverse("triage", args=(project.slug,))
    browser.get(queue)
    with django_assert_max_num_queries(9):
        first = browser.get(queue).content.decode()
    assert first.count("case-row") == 25
    assert "6 people" in first
    with django_assert_max_num_queries(16):
        browser.get(url("case", triage.queue(project)[0]))
    following = first.split("?after=")[1].split('"')[0]
    assert page_of(browser, f"{queue}?after={following}").count("case-row") == 6


def test_neighbours_follow_the_queue(project: Project, alice: User) -> None:
    for num, kind in enumerate(("harmful", "false", "false", "other")):
        reported(project, alice, f"Answer {num}", kind)
    order = list(triage.queue(project))
    assert triage.neighbours(order[0]) == (None, order[1])
    assert triage.neighbours(order[2]) == (order[1], order[3])
    assert triage.neighbours(order[3]) == (order[2], None)


def test_programs_report_read_their_own_and_reviewers_read_all(
    project: Project, alice: User, bob: User, rita: User
) -> None:
    message = answer_of(alice, project)
    program, path = Program(alice), f"projects/{project.slug}/reports"
    made = program.post(path, {"message_id": str(message.id), "kind": "false", "note": "It is Paris."})
    assert made.status_code == 201
    again = program.post(path, {"message_id": str(message.id), "kind": "harmful"})
    assert (again.status_code, again.json()["id"], again.json()["state"]) == (200, made.json()["id"], "open")
    triage.decide(Case.objects.get(), agreed=True, action="noted", why="So it is.", by=rita)
    read = program.get(f"{path}/{made.json()['id']}").json()
    assert (read["state"], read["why"], read["reporter"]) == ("agreed", "So it is.", alice.pseudonym)
    assert program.post(path, {"message_id": str(message.id), "kind": "other"}).status_code == 422
    assert Program(bob).get(f"{path}/{made.json()['id']}").status_code == 404
    assert Program(bob).get(path).json()["results"] == []
    assert Program(bob).post(path, {"message_id": str(message.id), "kind": "other"}).status_code == 404
    completion = make_comparison(project=project).completions.all()[0]
    assert program.post(path, {"completion_id": str(completion.id), "kind": "other"}).status_code == 404  # never shown
    completion.comparison.leases.create(trainer=alice, expires_at=timezone.now(), shown_order=[])  # type: ignore[union-attr]
    assert program.post(path, {"completion_id": str(completion.id), "kind": "other"}).status_code == 201
    assert program.post(path, {"kind": "other"}).status_code == 422
    assert len(ids_of_all_pages(Program(rita), path, limit=1)) == 2
    assert Program(alice, scopes=["read"]).post(path, {"kind": "other"}).status_code == 403
    visitor = make_user(role="visitor")
    assert Program(visitor).get(path).status_code == 401


def test_a_chat_of_another_is_not_reported_by_its_address(project: Project, alice: User, bob: User) -> None:
    chat = make_chat(project=project, author=bob)
    message = chat.messages.get(position=1)
    for name in ("report_message", "thumb_message"):
        address = reverse(name, args=(project.slug, chat.id, message.id))
        assert as_user(alice).post(address, {"kind": "false", "thumb": "up"}).status_code == 404
    assert not Report.objects.exists()
