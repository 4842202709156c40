"""Reference rankings: made from work, which stays work; shown to nobody who met the other; retired and brought back."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from labeling.models import AuditEvent, Comparison, Lease, Project, Reference, User
from labeling.rankings import assignment
from labeling.rankings.practice import submit_practice
from labeling.rankings.references import (
    InvalidReference,
    change_explanation,
    live_reference,
    make_reference,
    set_retired,
)
from labeling.rankings.submission import AssignmentError, Submission
from tests.labeling.factories import make_comparison, make_users, places_of

pytestmark = pytest.mark.django_db


def order_of(comparison: Comparison) -> Submission:
    """The first of its completions above the others, which are tied and unacceptable."""
    first, *others = [str(completion.id) for completion in comparison.completions.order_by("index")]
    return Submission(tiers=((first,), tuple(others)), unacceptable_from=1)


def make(comparison: Comparison, *, by: User, **fields: Any) -> Reference:
    values = {"use": "gold", "key": uuid.uuid4(), "lesson": "Short", "explanation": "Because."}
    return make_reference(comparison, order_of(comparison), by=by, **values | fields)


def test_a_reference_is_a_copy_that_takes_no_place(project: Project, rita: User) -> None:
    original = make_comparison(project=project, rankings_wanted=2)
    reference = make(original, by=rita)
    copy = reference.comparison
    assert places_of(original) == (2, 2, 0, 0)
    assert (copy.use, copy.state, copy.open_slots, copy.round) == ("gold", "open", 0, None)
    assert copy.messages == original.messages
    texts = {str(completion.id): completion.content for completion in copy.completions.all()}
    assert [[texts[identifier] for identifier in tier] for tier in reference.tiers] == [
        ["Answer 0."],
        ["Answer 1.", "Answer 2.", "Answer 3."],
    ]
    assert reference.unacceptable_from == 1
    assert [one.copied_from.comparison_id for one in copy.completions.all()] == [original.id] * 4
    assert [one.policy for one in copy.completions.all()] == [project.policy] * 4
    assert AuditEvent.objects.filter(verb="make reference", by=rita).exists()
    assert live_reference(Comparison.objects.get(id=original.id)) == reference
    assert list(project.comparisons.reference_candidates()) == [original]


def test_the_same_page_sent_twice_makes_one(project: Project, rita: User) -> None:
    original, key = make_comparison(project=project), uuid.uuid4()
    assert make(original, by=rita, key=key) == make(original, by=rita, key=key)
    assert Comparison.objects.count() == 2


@pytest.mark.parametrize("change", ["order", "line", "use", "lesson", "explanation", "comparison"])
def test_another_reference_under_the_same_key_is_refused(project: Project, rita: User, change: str) -> None:
    original, key = make_comparison(project=project), uuid.uuid4()
    make(original, by=rita, key=key)
    order, words = order_of(original), {"use": "gold", "lesson": "Short", "explanation": "Because."}
    if change == "order":
        order = replace(order, tiers=order.tiers[::-1])
    elif change == "line":
        order = replace(order, unacceptable_from=None)
    elif change == "comparison":
        original = make_comparison(project=project)
        order = order_of(original)
    else:
        words[change] = "practice"
    with pytest.raises(InvalidReference, match="already been used"):
        make_reference(original, order, key=key, by=rita, **words)
    assert Reference.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"use": "work"}, "practice or gold"),
        ({"use": "practice", "explanation": "  "}, "explanation"),
    ],
)
def test_a_reference_without_sense_is_refused(
    project: Project, rita: User, fields: dict[str, str], sentence: str
) -> None:
    with pytest.raises(InvalidReference, match=sentence):
        make(make_comparison(project=project), by=rita, **fields)


def test_an_order_that_orders_nothing_is_refused(project: Project, rita: User) -> None:
    comparison = make_comparison(project=project)
    ids = tuple(str(completion.id) for completion in comparison.completions.all())
    for submission, sentence in (
        (Submission(tiers=(ids,)), "tied"),
        (Submission(abstained="no idea"), "order"),
        (Submission(tiers=(ids[:1], ids[1:3])), "exactly one place"),
    ):
        with pytest.raises((InvalidReference, AssignmentError), match=sentence):
            make_reference(comparison, submission, use="gold", key=uuid.uuid4(), by=rita)
    assert Comparison.objects.count() == 1


def test_only_finished_work_can_be_used_and_only_once(project: Project, rita: User) -> None:
    for state in ("sampling", "failed", "withdrawn"):
        with pytest.raises(InvalidReference, match="cannot be used"):
            make(make_comparison(project=project, state=state), by=rita)
    original = make_comparison(project=project)
    reference = make(original, by=rita)
    with pytest.raises(InvalidReference, match="copy itself"):
        make(reference.comparison, by=rita)
    with pytest.raises(InvalidReference, match="already"):
        make(original, by=rita, use="practice")
    set_retired(reference, retired=True, by=rita)
    assert make(original, by=rita, use="practice").comparison.use == "practice"


def test_nobody_is_given_both_the_work_and_its_copy(project: Project, rita: User) -> None:
    project.gold_every = 1
    project.save()
    original = make_comparison(project=project, rankings_wanted=9)
    alice, bob = make_users(num=2, project=project)
    early = assignment.claim(project, by=alice)
    assert isinstance(early, Lease)
    assert early.comparison == original
    assignment.submit(early, order_of(original), key=uuid.uuid4(), by=alice)
    reference = make(original, by=rita)
    assert isinstance(assignment.claim(project, by=alice), assignment.Nothing)
    gold = assignment.claim(project, by=bob)
    assert isinstance(gold, Lease)
    assert gold.comparison == reference.comparison
    assignment.submit(gold, order_of(reference.comparison), key=uuid.uuid4(), by=bob)
    assert isinstance(assignment.claim(project, by=bob), assignment.Nothing)


def test_who_practised_on_a_copy_is_not_given_the_original(project: Project, rita: User) -> None:
    original = make_comparison(project=project)
    exercise = make(original, by=rita, use="practice").comparison
    alice, bob = make_users(num=2, project=project)
    submit_practice(exercise, order_of(exercise), shown=[], key=uuid.uuid4(), by=alice)
    assert isinstance(assignment.claim(project, by=alice), assignment.Nothing)
    assert isinstance(assignment.claim(project, by=bob), Lease)


def test_who_made_it_is_not_measured_by_it(project: Project, rita: User) -> None:
    project.gold_every = 1
    project.save()
    original = make_comparison(project=project)
    make(original, by=rita)
    lease = assignment.claim(project, by=rita)
    assert isinstance(lease, Lease)
    assert lease.comparison == original


def test_a_retired_one_is_handed_out_no_more_until_it_is_brought_back(project: Project, rita: User) -> None:
    project.gold_every = 1
    project.save()
    original = make_comparison(project=project)
    reference = make(original, by=rita)
    Comparison.objects.filter(id=original.id).update(state="withdrawn")
    (bob,) = make_users(num=1, project=project)
    set_retired(reference, retired=True, by=rita)
    assert isinstance(assignment.claim(project, by=bob), assignment.Nothing)
    set_retired(reference, retired=False, by=rita)
    assert isinstance(assignment.claim(project, by=bob), Lease)


def test_a_retired_one_is_not_brought_back_beside_another(project: Project, rita: User) -> None:
    original = make_comparison(project=project)
    first = make(original, by=rita)
    set_retired(first, retired=True, by=rita)
    second = make(original, by=rita)
    with pytest.raises(InvalidReference, match="another reference ranking by now"):
        set_retired(first, retired=False, by=rita)
    set_retired(second, retired=True, by=rita)
    set_retired(first, retired=False, by=rita)
    traces = AuditEvent.objects.filter(by=rita, subject_id=str(first.pk)).order_by("id").values_list("verb", flat=True)
    assert list(traces) == ["make reference", "retire reference", "bring reference back"]


def test_words_can_be_changed_and_the_order_stays(project: Project, rita: User) -> None:
    reference = make(make_comparison(project=project), by=rita)
    tiers = reference.tiers
    change_explanation(reference, lesson="Long", explanation="Since.", by=rita)
    reference.refresh_from_db()
    assert (reference.lesson, reference.explanation, reference.tiers) == ("Long", "Since.", tiers)
    changed = AuditEvent.objects.get(verb="change reference", by=rita, subject_id=str(reference.pk))
    assert changed.detail["before"] == "Because."
