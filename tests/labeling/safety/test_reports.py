"""Reports: one a person and output, bounded by the day, joined where they are about nearly the same text."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from labeling import tasks
from labeling.models import (
    AuditEvent,
    Case,
    Comparison,
    Delivery,
    Filter,
    Message,
    Project,
    PromptVector,
    Report,
    Screening,
    User,
    Webhook,
    Withheld,
)
from labeling.safety import cases, reports, triage
from labeling.safety.reports import MOST_A_DAY, ReportError
from records import EmbedResult, encode
from tests.labeling.factories import make_chat, make_comparison, make_project, make_prompt, make_user, make_users
from tests.labeling.overlapping import overlap
from tests.labeling.signed_in import as_user, htmx_post, page_of

pytestmark = pytest.mark.django_db
Kind = Report.Kind


def answer_of(author: User, project: Project, text: str = "Rome.") -> Message:
    """The policy's answer in a chat of this person."""
    message = make_chat(project=project, author=author).messages.get(position=1)
    message.content = text
    message.save()
    return message


def reported(project: Project, by: User, text: str = "Rome.", kind: str = "false", **more: Any) -> Report:
    return reports.report(project, by=by, message=answer_of(by, project, text), kind=kind, **more)[0]


def embedded(*pairs: tuple[Case | None, tuple[float, float]]) -> int:
    """Record vectors of two dimensions for cases, in this order."""
    ids = tuple(str(case.id) for case, _ in pairs if case is not None)
    vectors = tuple((x, y, *[0.0] * (PromptVector.WIDTH - 2)) for _, (x, y) in pairs)
    return cases.record_vectors(EmbedResult(ids=ids, vectors=vectors))


def test_a_report_keeps_what_was_asked_and_answered_and_is_announced(project: Project, alice: User) -> None:
    Webhook.objects.create(project=project, url="https://example.org/", events=["report.opened"])
    message = answer_of(alice, project)
    row, is_new = reports.report(project, by=alice, message=message, kind=Kind.FALSE, note=" It is Paris. ")
    assert (is_new, row.content, row.note, row.kind) == (True, "Rome.", "It is Paris.", "false")
    assert row.messages == [{"role": "user", "content": "Question 0?"}]
    assert AuditEvent.objects.get(verb="report output").subject_id == str(row.id)
    delivery = Delivery.objects.get()
    assert (delivery.event, str(row.id) in delivery.body, "Paris" in delivery.body) == ("report.opened", True, False)


def test_a_second_report_of_one_output_changes_the_first(project: Project, alice: User, bob: User) -> None:
    message = answer_of(alice, project)
    first, _ = reports.report(project, by=alice, message=message, kind=Kind.FALSE)
    again, is_new = reports.report(project, by=alice, message=message, kind=Kind.HARMFUL, note="Worse.")
    assert (again.id, is_new, Report.objects.count(), Case.objects.count()) == (first.id, False, 1, 1)
    case = Case.objects.get()
    assert (case.kinds, case.num_reports, case.priority) == ({"harmful": 1}, 1, 4.0)
    completion = make_comparison(project=project).completions.all()[0]
    for person in (alice, bob, alice):
        reports.report(project, by=person, completion=completion, kind=Kind.OTHER)
    assert Report.objects.filter(completion=completion).count() == 2
    triage.decide(case, agreed=False, why="It is a joke.", by=make_user(username="rita"))
    with pytest.raises(ReportError, match="cannot be changed"):
        reports.report(project, by=alice, message=message, kind=Kind.OTHER)


def test_a_person_makes_twenty_reports_a_day_in_a_project(project: Project, alice: User) -> None:
    for num in range(MOST_A_DAY):
        last = reported(project, alice, f"Answer {num}")
    with pytest.raises(ReportError, match="20 reports in a day"):
        reported(project, alice, "One more")
    assert Report.objects.count() == MOST_A_DAY
    assert last.message is not None
    assert not reports.report(project, by=alice, message=last.message, kind=Kind.OTHER)[1]  # a change is none
    reported(make_project(), alice)
    Report.objects.filter(id=last.id).update(created_at=last.created_at - timedelta(days=1, minutes=1))
    reported(project, alice, "One more")


@pytest.mark.django_db(transaction=True)
def test_two_reports_of_one_person_at_once_are_one(project: Project, alice: User) -> None:
    message = answer_of(alice, project)

    def report() -> bool:
        return reports.report(project, by=alice, message=Message.objects.get(id=message.id), kind=Kind.FALSE)[1]

    assert overlap(report, report) is False
    assert Report.objects.count() == 1


def test_reports_of_the_same_text_are_one_case_however_it_is_dressed(project: Project, alice: User, bob: User) -> None:
    texts = ["You are\u200b ugly.", "You are ugly.", "  You   are\nUGLY. "]
    rows = [reported(project, person, text) for person, text in zip((alice, bob, bob), texts, strict=True)]
    assert len({row.case_id for row in rows}) == 1
    case = Case.objects.get()
    assert (case.num_reports, case.num_reporters, case.kinds) == (3, 2, {"false": 3})
    assert reported(project, bob, "Something else").case_id != case.id
    assert reported(make_project(), bob, texts[0]).case_id != case.id


def test_refusals_are_alike_by_what_was_refused(project: Project, alice: User) -> None:
    one, other, same = [answer_of(alice, project, "I cannot help with that.") for _ in range(3)]
    Message.objects.filter(dialogue=other.dialogue_id, position=0).update(content="How do I kill a process?")
    found = [
        reports.report(project, by=alice, message=Message.objects.get(id=message.id), kind=kind)[0].case_id
        for message, kind in ((one, Kind.REFUSED), (other, Kind.REFUSED), (same, Kind.REFUSED), (one, Kind.OTHER))
    ]
    assert found[0] == found[2] != found[1]


def test_nearly_the_same_texts_are_joined_when_their_vectors_arrive(project: Project, alice: User, bob: User) -> None:
    first, near = reported(project, alice, "You are ugly."), reported(project, bob, "You are so ugly.", "harmful")
    far = reported(project, bob, "Paris is in Spain.")
    assert embedded((first.case, (1.0, 0.0)), (near.case, (0.92, 0.3919)), (far.case, (0.6, 0.8))) == 3
    for row in (first, near, far):
        row.refresh_from_db()
    assert first.case_id == near.case_id != far.case_id
    case = Case.objects.get(id=first.case_id)
    assert (case.num_reporters, case.kinds, case.priority) == (2, {"false": 1, "harmful": 1}, 8.0)
    assert Case.objects.count() == 2
    assert reported(project, bob, "You are so ugly.").case_id == case.id  # by its hash, though the case began otherwise


def test_a_vector_that_is_not_near_enough_or_of_a_decided_case_joins_nothing(
    project: Project, alice: User, rita: User
) -> None:
    first, other = reported(project, alice, "One."), reported(project, alice, "Two.")
    assert first.case is not None
    embedded((first.case, (1.0, 0.0)), (other.case, (0.89, 0.456)))
    assert Case.objects.count() == 2
    triage.decide(first.case, agreed=True, action="noted", why="So it is.", by=rita)
    third = reported(project, alice, "Three.")
    embedded((third.case, (1.0, 0.0)))
    assert Case.objects.count() == 3


def test_a_hundred_reports_of_nearly_the_same_text_are_one_case(project: Project) -> None:
    people = make_users(num=100, project=project)
    rows = [reported(project, one, f"You are ugly{'!' * num}") for num, one in enumerate(people)]
    assert Case.objects.count() == 100
    waiting = list(Case.objects.order_by("created_at", "id"))
    embedded(*((case, (1.0, 0.0)) for case in waiting))
    case = Case.objects.get()
    assert (case.num_reports, case.num_reporters, case.priority) == (100, 100, 200.0)
    assert {row.project_id for row in rows} == {project.id}


@pytest.mark.django_db(transaction=True)
def test_cases_are_embedded_by_the_task_that_embeds_prompts(project: Project, alice: User, broker: object) -> None:
    prompt, report = make_prompt(project=project), reported(project, alice)
    assert cases.ask_for_vectors(project) == 1
    assert cases.ask_for_vectors(project) == 0  # the answer asks for more
    vector = (1.0, *[0.0] * (PromptVector.WIDTH - 1))
    tasks.record_vectors(encode(EmbedResult(ids=(str(report.case_id), str(prompt.id)), vectors=(vector, vector))))
    assert Case.objects.get().has_vector
    assert PromptVector.objects.get().prompt_id == prompt.id


def test_a_report_of_what_the_filter_did_names_its_screening(project: Project, alice: User) -> None:
    message = answer_of(alice, project)
    screening = Screening.objects.create(
        project=project, filter=Filter.objects.bundled(), message=message, side="answered", text_sha256="0" * 64,
        verdict="block", category="S", acted=True,
    )  # fmt: skip
    Withheld.objects.create(screening=screening, content="The rest.")
    row, _ = reports.report(project, by=alice, message=message, kind=Kind.BLOCKED)
    assert row.screening == screening
    assert Kind.BLOCKED not in dict(reports.kinds())
    assert Kind.BLOCKED in dict(reports.kinds(filter_acted=True))


def test_how_often_a_completion_was_shown_is_counted(project: Project, alice: User, bob: User) -> None:
    comparison = make_comparison(project=project, rankings_wanted=4)
    for person in (alice, bob):
        Comparison.objects.get(id=comparison.id).leases.create(
            trainer=person, expires_at=comparison.created_at, shown_order=[]
        )
    row, _ = reports.report(project, by=alice, completion=comparison.completions.all()[0], kind=Kind.FALSE)
    assert row.num_shown == 2
    assert Case.objects.get().priority == 2.0 * (1 + 1.0)  # one reporter, shown twice


def test_the_chat_page_reports_and_says_so(project: Project, alice: User, bob: User) -> None:
    message = answer_of(alice, project)
    address = reverse("report_message", args=(project.slug, message.dialogue_id, message.id))
    chat = reverse("chat_dialogue", args=(project.slug, message.dialogue_id))
    assert address in page_of(as_user(alice), chat)
    assert htmx_post(as_user(alice), address, {"kind": "ugly"}).status_code == 422
    assert as_user(alice).post(address, {"kind": "ugly"}).status_code == 302  # without scripts, said on the chat
    assert not Report.objects.exists()
    answer = htmx_post(as_user(alice), address, {"kind": "harmful", "note": "It insults me."})
    assert (answer.status_code, b"Thank you" in answer.content) == (200, True)
    row = Report.objects.get()
    assert (row.kind, row.note, row.reporter, row.message) == ("harmful", "It insults me.", alice, message)
    assert "Change report" in page_of(as_user(alice), chat)
    assert as_user(bob).post(address, {"kind": "harmful"}).status_code == 404
    assert as_user(make_user(role="engineer", projects=[project])).post(address).status_code == 403


def test_a_report_without_scripts_from_the_board_leaves_the_board_alone(project: Project, alice: User) -> None:
    comparison = make_comparison(project=project)
    browser = as_user(alice)
    board = browser.post(reverse("rank", args=(project.slug,))).headers["Location"]
    completion = comparison.completions.all()[0]
    address = f"{board}report/{completion.id}/"
    assert f'formaction="{address}" formtarget="_blank"' in page_of(browser, board)
    answer = browser.post(address, {f"report_kind:{completion.id}": "biased"})
    assert (answer.status_code, board in answer.content.decode()) == (200, True)
    assert Report.objects.get().kind == "biased"
    assert "Choose what is wrong" in browser.post(address).content.decode()


def test_a_reporter_reads_what_became_of_their_reports_and_of_nobody_elses(
    project: Project, alice: User, bob: User, rita: User
) -> None:
    waits, decided = reported(project, alice, "One."), reported(project, alice, "Two.")
    reported(project, bob, "Three.")
    assert decided.case is not None
    triage.decide(decided.case, agreed=True, action="guidelines", why="We say so now.", by=rita)
    outcomes = {one.report.id: one for one in reports.outcomes_for(alice)}
    assert set(outcomes) == {waits.id, decided.id}
    assert (outcomes[waits.id].is_decided, outcomes[waits.id].why) == (False, "")
    seen = outcomes[decided.id]
    assert (seen.is_decided, seen.is_agreed, seen.why) == (True, True, "We say so now.")
    assert seen.action == "The guidelines say more of it"
    page = page_of(as_user(alice), reverse("my_reports"))
    assert "We say so now." in page
    assert "Three." not in page
    assert reverse("my_reports") in page_of(as_user(alice), reverse("history"))
