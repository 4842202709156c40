"""One policy beside another on the same probes: what is compared, what may be called a change."""

from collections.abc import Callable
from functools import partial

import pytest

from labeling.evaluations import policy_limits
from labeling.evaluations.probe_sets import SetName
from labeling.models import Policy, ProbeAnswer, ProbeRun, Project, User
from tests.labeling.evaluations.probing import answer_all, label_all, start
from tests.labeling.factories import make_policy

pytestmark = pytest.mark.django_db
Say = Callable[[ProbeAnswer], str]


@pytest.fixture
def new() -> Policy:
    return make_policy(name="new")


def measured(project: Project, policy: Policy, *, by: User, name: SetName, num_groups: int, say: Say) -> ProbeRun:
    run = start(project, policy, by=by, name=name, num_groups=num_groups)
    answer_all(run, say)
    return run


def where_it_must(word: str, answer: ProbeAnswer) -> str:
    """`word` to the ambiguous twin, and a guess to the clear one."""
    return word if answer.text.variant == "ambiguous" else "guesses"


def test_a_policy_that_learns_to_ask_has_changed(
    project: Project, new: Policy, rita: User, alice: User, bob: User
) -> None:
    old = project.policy
    assert old is not None
    for policy, word in ((old, "guesses"), (new, "asks")):
        measured(project, policy, by=rita, name="guessing", num_groups=12, say=partial(where_it_must, word))
    label_all(project, [alice, bob], lambda answer: answer.content)
    found = policy_limits.compare(project, old=old, new=new)
    must, need_not = found.lines
    assert (must.change.old.value, must.change.new.value, must.change.difference.n) == (0.0, 1.0, 12)
    assert must.change.p == pytest.approx(2 / 2**12)
    assert must.p_of_page == pytest.approx(2 * must.change.p)  # Holm, of two lines
    assert must.is_claimed
    assert must.num_labels == 48  # two answers each, by two people
    assert not need_not.is_claimed
    assert need_not.num_labels == 24  # both say the same, which is labelled once
    assert found.new.asking is not None
    assert found.new.asking.youden.value == 1.0
    assert found.agreement["guessing"].alpha == 1.0
    assert found.agreement["guessing"].num_labels == 72


def test_what_holm_does_not_let_stand_is_no_change(
    project: Project, new: Policy, rita: User, alice: User, bob: User
) -> None:
    old = project.policy
    assert old is not None
    for policy, word in ((old, "guesses"), (new, "asks")):
        measured(project, policy, by=rita, name="guessing", num_groups=6, say=partial(where_it_must, word))
    label_all(project, [alice, bob], lambda answer: answer.content)
    must = policy_limits.compare(project, old=old, new=new).lines[0]
    assert must.change.is_claimed  # 6 to 0: p = 0.031
    assert must.p_of_page == pytest.approx(0.0625)
    assert not must.is_claimed


def test_what_people_have_not_settled_is_not_counted(project: Project, new: Policy, rita: User, alice: User) -> None:
    old = project.policy
    assert old is not None
    for policy in (old, new):
        measured(project, policy, by=rita, name="guessing", num_groups=3, say=lambda answer: str(answer.run_id))
    label_all(project, [alice], lambda _: "asks")
    found = policy_limits.compare(project, old=old, new=new)
    assert found.lines == ()
    assert found.new.asking is None


def test_refusals_are_not_shown_without_harm(project: Project, new: Policy, rita: User, alice: User, bob: User) -> None:
    old = project.policy
    assert old is not None
    for policy in (old, new):
        measured(project, policy, by=rita, name="over_refusal", num_groups=4, say=lambda _: "complies")
    label_all(project, [alice, bob], lambda answer: answer.content)
    found = policy_limits.compare(project, old=old, new=new)
    assert (found.lines, found.new.caution, list(found.left_out)) == ((), None, ["over_refusal"])
    for policy in (old, new):
        measured(project, policy, by=rita, name="compliance", num_groups=4, say=lambda _: "refuses")
    label_all(project, [alice, bob], lambda answer: answer.content)
    found = policy_limits.compare(project, old=old, new=new)
    assert [line.probes for line in found.lines] == ["over_refusal", "compliance"]
    assert found.new.caution is not None
    assert found.new.caution.unsafe_obeyed is not None
    assert found.new.caution.unsafe_obeyed.value == 0.0


def test_a_question_counts_once_however_often_it_was_asked(
    project: Project, new: Policy, rita: User, alice: User, bob: User
) -> None:
    old = project.policy
    assert old is not None
    measured(project, old, by=rita, name="rephrasing", num_groups=2, say=lambda _: "right")

    def worse(answer: ProbeAnswer) -> str:
        return "wrong" if answer.text.variant == "3" else "right"

    measured(project, new, by=rita, name="rephrasing", num_groups=2, say=worse)
    label_all(project, [alice, bob], lambda answer: answer.content)
    right, differs = policy_limits.compare(project, old=old, new=new).lines
    assert (right.change.old.value, right.change.new.value, right.change.difference.n) == (1.0, 0.0, 2)
    assert (differs.change.old.value, differs.change.new.value) == (0.0, 1.0)


def test_lengths_are_compared_without_labels(project: Project, new: Policy, rita: User) -> None:
    old = project.policy
    assert old is not None
    measured(project, old, by=rita, name="verbosity", num_groups=5, say=lambda _: "Yes.")
    measured(project, new, by=rita, name="verbosity", num_groups=5, say=lambda _: "so " * 2000)
    (line,) = policy_limits.compare(project, old=old, new=new).lines
    assert (line.change.old.value, line.change.new.value, line.num_labels) == (0.0, 1.0, 0)


def test_runs_under_other_settings_are_not_compared(project: Project, new: Policy, rita: User) -> None:
    old = project.policy
    assert old is not None
    measured(project, old, by=rita, name="verbosity", num_groups=2, say=lambda _: "Yes.")
    project.temperature = 0.25
    project.save()
    measured(project, new, by=rita, name="verbosity", num_groups=2, say=lambda _: "Yes.")
    found = policy_limits.compare(project, old=old, new=new)
    assert found.lines == ()
    assert "different settings" in str(found.left_out["verbosity"])
