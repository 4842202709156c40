"""How well a project's people judge, as a worker measures it: whom it counts, when anew, and what is shown."""

import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from labeling.models import Comparison, JudgingFigures, Project, Ranking, User
from labeling.quality import judging
from tests.judging.planted import planted_abilities, planted_orders
from tests.labeling.factories import make_comparisons, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(slug="judged", rankings_wanted=4)


def rank(project: Project, orders: dict[User | str, list[list[int]]]) -> Comparison:
    """One comparison of two or more; a name in place of a user is somebody in an imported file."""
    num = max(max(tier) for tiers in orders.values() for tier in tiers) + 1
    (comparison,) = make_comparisons(project=project, num=1, num_completions=num)
    ids = {one.index: str(one.id) for one in comparison.completions.all()}
    Ranking.objects.bulk_create(
        Ranking(
            comparison=comparison,
            trainer=trainer if isinstance(trainer, User) else None,
            outside_trainer="" if isinstance(trainer, User) else trainer,
            submission_key=uuid.uuid4(),
            tiers=[[ids[index] for index in tier] for tier in tiers],
            shown_order=list(ids.values()),
        )
        for trainer, tiers in orders.items()
    )
    Comparison.objects.filter(pk=comparison.pk).update(num_rankings=len(orders), prompt_sha256=uuid.uuid4().hex * 2)
    return comparison


def rank_planted(project: Project, people: dict[str, User], *, each: int) -> None:
    by_comparison: dict[str, dict[User | str, list[list[int]]]] = {}
    for order in planted_orders(planted_abilities(len(people)), seed=1, each=each, num_completions=3):
        tiers = [
            [int(name) for name, own in order.places.items() if own == tier]
            for tier in sorted(set(order.places.values()))
        ]
        by_comparison.setdefault(order.comparison, {})[people[order.trainer]] = tiers
    for orders in by_comparison.values():
        rank(project, orders)


def test_abilities_of_those_who_ranked_enough_are_kept_and_shown(project: Project, client: Client) -> None:
    people = {name: make_user(username=name, projects=[project]) for name in planted_abilities(4)}
    rank_planted(project, people, each=judging.FEWEST)
    assert judging.measure_due() == 1
    found = judging.judging_of(project)
    assert found is not None
    abilities = [found.trainers[people[name].id].ability for name in planted_abilities(4)]
    assert abilities[0].value < abilities[-1].value
    assert {one.n for one in abilities} == {judging.FEWEST}
    client.force_login(make_user(username="rita", role=User.Role.REVIEWER, projects=[project]))
    shown = client.get("/p/judged/quality/").content.decode()
    assert "How well people judge" in shown
    assert f"{abilities[-1].value:.2f} <span" in shown


def test_nothing_is_shown_of_those_who_ranked_too_little(project: Project) -> None:
    people = {name: make_user(username=name, projects=[project]) for name in planted_abilities(4)}
    rank_planted(project, people, each=judging.FEWEST - 4)
    judging.measure(project)
    found = judging.judging_of(project)
    assert found is not None
    assert found.trainers == {}
    assert found.people is not None


def test_people_in_imported_files_are_kept_apart_and_the_simulated_trainer_is_left_out(project: Project) -> None:
    alice, bob, robot = (make_user(username=name, projects=[project]) for name in ("alice", "bob", "robot"))
    User.objects.filter(pk=robot.pk).update(is_simulated=True)
    for _ in range(2):
        rank(project, {alice: [[0], [1]], bob: [[0], [1]], robot: [[1], [0]]})
        rank(project, {"5": [[0], [1]], "7": [[1], [0]], "9": [[0], [1]]})
    judging.measure(project)
    found = judging.judging_of(project)
    assert found is not None
    assert found.people is not None
    assert found.imported is not None
    assert (found.people.num_people, found.imported.num_people) == (2, 3)
    assert found.people.of_two is not None
    assert found.people.of_two.value == 1.0
    assert found.imported.of_two is not None
    assert found.imported.of_two.value == pytest.approx(1 / 3)


def test_it_is_measured_once_until_rankings_change_and_not_at_every_sweep(project: Project) -> None:
    alice, bob = (make_user(username=name, projects=[project]) for name in ("alice", "bob"))
    assert judging.measure_due() == 0  # nothing that two people ranked
    assert judging.judging_of(project) is None
    JudgingFigures.objects.update(looked_at=timezone.now() - timedelta(hours=1))
    rank(project, {alice: [[0], [1]], bob: [[0], [1]]})
    assert [judging.measure_due(), judging.measure_due()] == [1, 0]
    rank(project, {alice: [[0], [1]], bob: [[1], [0]]})
    assert judging.measure_due() == 0  # so soon after
    JudgingFigures.objects.update(looked_at=timezone.now() - timedelta(hours=1))
    assert [judging.measure_due(), judging.measure_due()] == [1, 0]
