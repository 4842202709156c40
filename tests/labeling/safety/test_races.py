"""Two who change rules, filters or what was seen in shadow at once: the second waits, and sees what the first did."""

import pytest

from labeling.dialogues import answers
from labeling.models import Filter, FilterRules, Project, Screening, User
from labeling.safety import filters, rules, shadow
from labeling.safety.rules import Rule, StaleRules
from records import ScreenResult
from tests.labeling.factories import make_project, make_user
from tests.labeling.overlapping import overlap
from tests.labeling.safety.test_notices import asked
from tests.labeling.sampling.screened import saw, screened_result

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker")]


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def adam(project: Project) -> User:
    return make_user(username="adam", projects=[project])


def test_of_two_admins_who_save_rules_at_once_the_second_is_told(project: Project, adam: User) -> None:
    Filter.objects.in_force()

    def save() -> None:
        wanted = [
            Rule(category="V", side="said", mode="off") if (one.category, one.side) == ("V", "said") else one
            for one in rules.current(project)
        ]
        rules.save(project, wanted, is_on=True, seen=0, by=adam)

    with pytest.raises(StaleRules):
        overlap(save, save)
    assert FilterRules.objects.count() == 1


def test_of_two_filters_that_are_promoted_at_once_one_stands(adam: User) -> None:
    Filter.objects.in_force()
    one, other = Filter.objects.create(name="one"), Filter.objects.create(name="other")
    overlap(lambda: filters.promote(one, to="shadow", by=adam), lambda: filters.promote(other, to="shadow", by=adam))
    assert sorted(Filter.objects.values_list("name", "state")) == [
        ("bundled", "in_force"), ("one", "candidate"), ("other", "shadow"),
    ]  # fmt: skip


def test_a_batch_that_comes_back_twice_at_once_is_stored_once(project: Project, adam: User) -> None:
    answers.record_completions(screened_result(asked(project, adam), ("One.", "pass")))
    Filter.objects.create(name="next", state="shadow")
    identifier = str(Screening.objects.get(side="answered").pk)
    result = ScreenResult(ids=(identifier,), screenings=(saw("answered", "warn", "One.", filter="next"),))
    assert overlap(lambda: shadow.record(result), lambda: shadow.record(result)) == 0
    assert Screening.objects.filter(in_shadow=True).count() == 1
