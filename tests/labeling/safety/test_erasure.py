"""Erasure: a person's reports and thumbs are gone, with what holds their words; what others stand on is said."""

import pytest
from django.db import connection

from labeling.models import Case, Comparison, Dialogue, FollowUp, Message, Probe, Project, Prompt, Report, Thumb, User
from labeling.safety import follow_ups, reports, thumbs, triage
from labeling.safety.erasure import erase_words_of
from labeling.sampling import thumbs_down
from tests.labeling.exports.material import make_ranking
from tests.labeling.factories import make_chat, make_user
from tests.labeling.safety.test_reports import embedded
from tests.labeling.safety.test_triage import case_of

pytestmark = pytest.mark.django_db
SECRET = "xylophone"


def found_in_database(text: str) -> list[str]:
    """The tables in which some row holds the text."""
    tables = [name for name in connection.introspection.table_names() if name != "labeling_migrations"]
    with connection.cursor() as cursor:
        found = []
        for table in tables:
            cursor.execute(f'SELECT 1 FROM "{table}" AS row WHERE row::text LIKE %s LIMIT 1', [f"%{text}%"])
            found += [table] if cursor.fetchone() else []
    return found


def said_by(person: User, project: Project, num: int) -> Message:
    chat = make_chat(project=project, author=person)
    Message.objects.filter(dialogue=chat, position=0).update(content=f"My {SECRET} {num}?")
    answer = chat.messages.get(position=1)
    answer.content = f"A {SECRET} has bars {num}."
    answer.save()
    return answer


def test_a_persons_reports_thumbs_and_what_was_made_of_them_are_gone(project: Project, rita: User) -> None:
    project.compares_thumbs_down = True
    project.save()
    visitor = make_user(role="visitor")
    messages = [said_by(visitor, project, num) for num in range(3)]
    rows = [
        reports.report(project, by=visitor, message=message, kind="harmful", note=f"O {SECRET}")[0]
        for message in messages
    ]
    for row, kind in zip(rows, ("prompt", "demonstration", "probe"), strict=True):
        follow_ups.follow_up(case_of(row), kind, by=rita)
    follow_ups.compare_reported(project)
    triage.decide(case_of(rows[0]), agreed=True, action="noted", why="So.", by=rita)
    thumb = thumbs.give(messages[2], by=visitor, up=False)
    thumbs_down.compare_thumbs_down(project)
    assert Comparison.objects.count() == 2
    erased = erase_words_of(visitor)
    assert (erased.num_reports, erased.num_probes, erased.num_demonstrations, erased.num_prompts) == (3, 1, 1, 2)
    assert (erased.thumbs, erased.kept) == ([thumb.id], [])
    for rows_left in (Report, Case, Probe, Thumb, FollowUp, Comparison):
        assert not rows_left.objects.exists()
    assert {(prompt.messages[0]["content"], prompt.retired_at is None) for prompt in Prompt.objects.all()} == {
        ("(erased)", False)
    }
    Dialogue.objects.filter(author=visitor).delete()  # the caller's part
    assert found_in_database(SECRET) == []
    assert erase_words_of(visitor).num_reports == 0


def test_what_rankings_stand_on_is_retired_and_said(project: Project, alice: User, rita: User) -> None:
    row, _ = reports.report(project, by=alice, message=said_by(alice, project, 0), kind="harmful")
    prompt = follow_ups.follow_up(case_of(row), "prompt", by=rita).prompt
    assert prompt is not None
    follow_ups.compare_reported(project)
    comparison = Comparison.objects.get(prompt=prompt)
    for index in range(4):
        comparison.completions.create(index=index, content=f"Answer {index}.", policy=project.policy)
    make_ranking(project=project, comparison=comparison, trainer=rita)
    erased = erase_words_of(alice)
    assert (erased.kept, erased.num_prompts) == ([prompt.id], 0)
    prompt.refresh_from_db()
    assert prompt.retired_at is not None
    assert SECRET in str(prompt.messages)
    assert not Report.objects.exists()


def test_others_reports_of_the_same_text_stay_counted_and_embedded_anew(
    project: Project, alice: User, bob: User
) -> None:
    first, _ = reports.report(project, by=alice, message=said_by(alice, project, 7), kind="harmful")
    theirs, _ = reports.report(project, by=bob, message=said_by(bob, project, 7), kind="false")
    case = case_of(theirs)
    assert case_of(first) == case
    embedded((case, (1.0, 0.0)))
    erase_words_of(alice)
    case.refresh_from_db()
    assert (case.num_reports, case.num_reporters, case.kinds, case.has_vector) == (1, 1, {"false": 1}, False)
    assert not hasattr(Case.objects.get(), "vector")


def test_a_demonstration_that_was_handed_in_loses_the_persons_words(project: Project, alice: User, rita: User) -> None:
    row, _ = reports.report(project, by=alice, message=said_by(alice, project, 0), kind="harmful")
    dialogue = follow_ups.follow_up(case_of(row), "demonstration", by=rita).dialogue
    assert dialogue is not None
    Message.objects.create(dialogue=dialogue, position=1, role="assistant", content="So.", authorship="typed")
    Dialogue.objects.filter(id=dialogue.id).update(state="submitted")
    erase_words_of(alice)
    dialogue.refresh_from_db()
    assert dialogue.state == "withdrawn"
    assert [one.content for one in dialogue.messages.order_by("position")] == ["(erased)", "So."]
