"""Who is given which answer to label, blind, and what labels come to."""

from functools import partial
from itertools import pairwise

import pytest
from django.utils import timezone

from labeling.evaluations import probe_labels
from labeling.evaluations.probe_labels import ProbeLabelError, verdict_of
from labeling.models import AuditEvent, ProbeAnswer, ProbeLabel, ProbeRun, Project, User
from labeling.retention import people
from tests.labeling.evaluations.probing import answer_all, label_all, start
from tests.labeling.factories import make_policy, make_user
from tests.labeling.overlapping import overlap

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(project: Project, rita: User) -> ProbeRun:
    """Three pairs of twins, all answered."""
    assert project.policy is not None
    made = start(project, project.policy, by=rita)
    answer_all(made, lambda answer: f"To {answer.text.key}.")
    return made


@pytest.fixture
def carol(project: Project) -> User:
    return make_user(username="carol", projects=[project])


@pytest.fixture
def ruth(project: Project) -> User:
    return make_user(username="ruth", role="reviewer", projects=[project])


def test_two_people_label_each_answer_and_a_third_where_they_differ(
    project: Project, run: ProbeRun, alice: User, bob: User, carol: User
) -> None:
    assert label_all(project, [alice], lambda _: "asks") == 6
    disputed = run.answers.order_by("id")[0]
    assert label_all(project, [bob], lambda answer: "guesses" if answer == disputed else "asks") == 6
    assert probe_labels.num_waiting(project, by=alice) == 0  # nobody labels the same answer twice
    assert label_all(project, [carol], lambda _: "guesses") == 1
    disputed.refresh_from_db()
    assert (disputed.verdict, disputed.labels_wanted) == ("guesses", 3)
    assert set(run.answers.exclude(id=disputed.id).values_list("verdict", flat=True)) == {"asks"}
    assert AuditEvent.objects.filter(verb="label probe").count() == 13


def test_where_three_differ_a_reviewer_decides(
    project: Project, run: ProbeRun, alice: User, bob: User, carol: User, ruth: User
) -> None:
    ProbeAnswer.objects.exclude(id=run.answers.order_by("id")[0].id).update(labels_wanted=0)
    for person, value in ((alice, "asks"), (bob, "guesses"), (carol, "covers the cases")):
        assert label_all(project, [person], lambda _, value=value: value) == 1
    dora = make_user(username="dora", projects=[project])
    assert probe_labels.claim(project, by=dora) is None
    assert label_all(project, [ruth], lambda _: "guesses") == 1
    assert run.answers.get(labels_wanted=4).verdict == "guesses"


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([], ""),
        (["asks"], ""),
        (["asks", "asks"], "asks"),
        (["asks", "guesses"], ""),
        (["asks", "guesses", "guesses"], "guesses"),
        (["complies", "refuses", "partly refuses"], ""),
        (["complies", "refuses", "partly refuses", "no attempt"], "no attempt"),
    ],
)
def test_what_labels_come_to(values: list[str], verdict: str) -> None:
    assert verdict_of(values) == verdict


def test_a_place_is_held_and_comes_free_when_its_time_is_over(project: Project, run: ProbeRun, alice: User) -> None:
    held = probe_labels.claim(project, by=alice)
    assert held is not None
    assert probe_labels.claim(project, by=alice) == held
    others = [make_user(projects=[project]) for _ in range(2)]
    ProbeAnswer.objects.exclude(id=held.answer_id).update(labels_wanted=0)
    first, second = (probe_labels.claim(project, by=other) for other in others)
    assert first is not None
    assert second is None  # one answer, two places: Alice's and the first's
    ProbeLabel.objects.filter(id=held.id).update(expires_at=timezone.now())
    assert label_all(project, others, lambda _: "asks") == 2
    with pytest.raises(ProbeLabelError, match="others have labelled it meanwhile"):
        probe_labels.put(held, "asks", by=alice)


def test_no_two_answers_of_a_group_in_a_row_while_there_are_others(project: Project, run: ProbeRun, bob: User) -> None:
    groups = []
    while (held := probe_labels.claim(project, by=bob)) is not None:
        groups.append(held.answer.text.group)
        probe_labels.put(held, "asks", by=bob)
    assert len(groups) == 6
    assert all(one != other for one, other in pairwise(groups[:4]))


def test_a_label_that_is_taken_back_is_given_by_another(
    project: Project, run: ProbeRun, alice: User, bob: User, carol: User
) -> None:
    label_all(project, [alice, bob], lambda _: "asks")
    label = ProbeLabel.objects.filter(by=alice)[0]
    assert not probe_labels.withdraw(label, by=bob)
    assert probe_labels.withdraw(label, by=alice)
    assert not probe_labels.withdraw(label, by=alice)
    answer = ProbeAnswer.objects.get(id=label.answer_id)
    assert answer.verdict == ""
    assert probe_labels.claim(project, by=alice) is None
    held = probe_labels.claim(project, by=carol)
    assert held is not None
    assert held.answer == answer


def test_a_label_is_one_of_its_set_and_given_once_by_who_holds_the_place(
    project: Project, run: ProbeRun, alice: User, bob: User
) -> None:
    held = probe_labels.claim(project, by=alice)
    assert held is not None
    with pytest.raises(ProbeLabelError, match="Choose one"):
        probe_labels.put(held, "refuses", by=alice)
    with pytest.raises(ProbeLabelError, match="Somebody else"):
        probe_labels.put(held, "asks", by=bob)
    probe_labels.put(held, "asks", by=alice)
    with pytest.raises(ProbeLabelError, match="already"):
        probe_labels.put(held, "guesses", by=alice)


def test_what_two_policies_answer_alike_is_labelled_once(
    project: Project, run: ProbeRun, rita: User, alice: User, bob: User
) -> None:
    answer_all(start(project, make_policy(), by=rita), lambda answer: f"To {answer.text.key}.")
    assert label_all(project, [alice, bob], lambda _: "asks") == 12


def test_an_erased_persons_labels_stay_and_the_place_that_they_held_comes_free(
    project: Project, run: ProbeRun, alice: User
) -> None:
    first = probe_labels.claim(project, by=alice)
    assert first is not None
    probe_labels.put(first, "asks", by=alice)
    assert probe_labels.claim(project, by=alice) is not None
    people.erase_person(alice, by=None)
    assert list(ProbeLabel.objects.values_list("value", "by__display_name")) == [("asks", "")]


def test_words_that_are_counted_are_not_labelled(project: Project, rita: User, alice: User) -> None:
    assert project.policy is not None
    answer_all(start(project, project.policy, by=rita, name="verbosity"), lambda _: "Yes.")
    assert probe_labels.claim(project, by=alice) is None


@pytest.mark.django_db(transaction=True)
def test_two_labels_at_once_that_differ_call_for_a_third(
    project: Project, run: ProbeRun, alice: User, bob: User
) -> None:
    ProbeAnswer.objects.exclude(id=run.answers.order_by("id")[0].id).update(labels_wanted=0)
    one, other = (probe_labels.claim(project, by=person) for person in (alice, bob))
    assert one is not None
    assert other is not None
    overlap(partial(probe_labels.put, one, "asks", by=alice), partial(probe_labels.put, other, "guesses", by=bob))
    assert ProbeAnswer.objects.get(id=one.answer_id).labels_wanted == 3


@pytest.mark.django_db(transaction=True)
def test_the_last_place_is_not_given_to_two_at_once(
    project: Project, run: ProbeRun, alice: User, bob: User, carol: User
) -> None:
    ProbeAnswer.objects.exclude(id=run.answers.order_by("id")[0].id).update(labels_wanted=0)
    assert label_all(project, [alice], lambda _: "asks") == 1
    claim = partial(probe_labels.claim, project)
    assert overlap(partial(claim, by=bob), partial(claim, by=carol)) is None
    assert ProbeLabel.objects.count() == 2
