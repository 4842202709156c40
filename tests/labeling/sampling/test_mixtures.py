"""Mixtures: how a comparison is divided among policies and temperatures, and that each keeps its own completions."""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import redis
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from labeling.exports.filters import Filters
from labeling.exports.ranking_records import read_rankings
from labeling.exports.statistics import RankingStatistics
from labeling.jobs import dispatch
from labeling.models import AuditEvent, Comparison, MixturePart, Project, SamplingRun, User
from labeling.sampling import comparisons as sampled_comparisons
from labeling.sampling import runs as sampling_runs
from labeling.sampling.mixtures import START_STEPS, Part, change_mixture, divide, mixture_of, quota_bounds
from tests.answering import send_result
from tests.labeling.exports.material import make_ranking
from tests.labeling.factories import make_chat, make_policy, make_project, make_user
from tests.labeling.signed_in import as_user

SHARES = st.lists(st.integers(1, 100), min_size=1, max_size=9)


@given(num=st.integers(1, 9), shares=SHARES, start=st.integers(0, START_STEPS - 1))
def test_every_part_gets_its_quota_rounded_down_or_up_and_all_are_given(
    num: int, shares: list[int], start: int
) -> None:
    counts = divide(num, shares, start=start)
    assert sum(counts) == num
    for count, (fewest, most) in zip(counts, quota_bounds(num, shares), strict=True):
        assert fewest <= count <= most


@pytest.mark.parametrize("shares", [[2, 2], [3, 1], [1, 1, 1, 1], [50, 25, 25]])
def test_shares_that_fit_are_exact_counts(shares: list[int]) -> None:
    exact = [share * 4 // sum(shares) for share in shares]
    draws = random.Random(1)
    assert all(divide(4, shares, start=draws.randrange(START_STEPS)) == exact for _ in range(200))


def test_a_small_share_comes_up_as_often_as_it_says() -> None:
    """A tenth of four completions is 0.4 of one: largest remainders would never give it any."""
    draws = random.Random(1)
    counts = [divide(4, [9, 1], start=draws.randrange(START_STEPS)) for _ in range(20_000)]
    assert sum(second for _, second in counts) / (4 * len(counts)) == pytest.approx(0.1, abs=0.002)
    assert {second for _, second in counts} == {0, 1}


def mix(project: Project, *parts: Part) -> Project:
    adam = User.objects.filter(role="admin").first() or make_user(username="adam", role=User.Role.ADMIN)
    change_mixture(project, parts, by=adam)
    return project


def two_policies(**fields: Any) -> Project:
    project = make_project(policy=make_policy(name="own"), **fields)
    other = make_policy(name="other")
    return mix(project, Part(share=2), Part(policy=other, share=1, temperature=0.7), Part(share=1, temperature=0.0))


@pytest.mark.django_db
def test_a_comparison_asks_each_part_for_its_completions(alice: User) -> None:
    project = two_policies()
    make_chat(project=project, author=alice, num_turns=3)
    comparisons = sampled_comparisons.make_comparisons(project, num=3, seed=1, by=alice)
    assert len(comparisons) == 3
    for comparison in comparisons:
        runs = sorted(comparison.sampling_runs.all(), key=lambda run: -run.sampling["temperature"])
        assert [(run.policy.name, run.sampling["temperature"], run.num_completions) for run in runs] == [
            ("own", 1.0, 2),
            ("other", 0.7, 1),
            ("own", 0.0, 1),
        ]
        assert {run.requested_by for run in runs} == {alice}
        assert all(run.messages == comparison.messages for run in runs)
    assert len({run.sampling["seed"] for run in SamplingRun.objects.all()}) == 9
    assert AuditEvent.objects.get(verb="make comparisons").detail["mixture"] == [
        {"policy": None, "share": 2, "temperature": None},
        {"policy": "other", "share": 1, "temperature": 0.7},
        {"policy": None, "share": 1, "temperature": 0.0},
    ]


@pytest.mark.django_db
def test_the_same_seed_divides_alike_and_rounds_by_lot(alice: User) -> None:
    project = mix(make_project(num_completions=3), Part(share=1), Part(share=1, temperature=0.5))
    make_chat(project=project, author=alice, num_turns=24)

    def divisions() -> dict[Any, tuple[int, ...]]:
        made = sampled_comparisons.make_comparisons(project, num=24, seed=5, by=None)
        return {
            one.message_id: tuple(
                one.sampling_runs.order_by("-sampling__temperature").values_list("num_completions", flat=True)
            )
            for one in made
        }

    first = divisions()
    Comparison.objects.all().delete()
    assert divisions() == first
    assert set(Counter(first.values())) == {(2, 1), (1, 2)}


@pytest.mark.django_db
def test_with_the_original_kept_the_rest_is_divided(alice: User) -> None:
    project = mix(make_project(keeps_original=True, num_completions=3), Part(share=1), Part(share=1, temperature=0.5))
    make_chat(project=project, author=alice)
    (comparison,) = sampled_comparisons.make_comparisons(project, num=1, seed=1, by=None)
    assert comparison.completions.count() == 1
    assert list(comparison.sampling_runs.values_list("num_completions", flat=True)) == [1, 1]


@pytest.mark.django_db
def test_the_original_keeps_how_it_was_sampled(alice: User, broker: redis.Redis) -> None:
    project = make_project(keeps_original=True)
    chat = make_chat(project=project, author=alice)
    answer = chat.messages.get(role="assistant")
    run = SamplingRun.objects.create(
        project=project, policy=project.policy, purpose="chat", messages=[], num_completions=1, sampling={}
    )
    answer.completion = run.completions.create(
        content=answer.content, policy=project.policy, sampling={"temperature": 0.3, "seed": 9}, finish_reason="stop"
    )
    answer.save()
    (comparison,) = sampled_comparisons.make_comparisons(project, num=1, seed=1, by=None)
    original = comparison.completions.get()
    assert (original.sampling, original.finish_reason) == ({"temperature": 0.3, "seed": 9}, "stop")


@pytest.mark.django_db
def test_a_mixture_follows_the_rounds_policy(alice: User) -> None:
    project = two_policies()
    make_chat(project=project, author=alice)
    project.rounds.update(policy=make_policy(name="promoted"))
    (comparison,) = sampled_comparisons.make_comparisons(project, num=1, seed=1, by=None)
    assert set(comparison.sampling_runs.values_list("policy__name", flat=True)) == {"promoted", "other"}


@pytest.mark.django_db
def test_statements_do_not_grow_with_comparisons_or_parts(alice: User) -> None:
    counts = []
    for num in (2, 20):
        project = mix(make_project(), *(Part(share=1, temperature=n / 4) for n in range(num // 2)))
        make_chat(project=project, author=alice, num_turns=num)
        with CaptureQueriesContext(connection) as statements:
            assert len(sampled_comparisons.make_comparisons(project, num=num, seed=1, by=None)) == num
        counts.append(len(statements))
    assert counts[0] == counts[1]


@pytest.mark.django_db
def test_changing_a_mixture_says_what_was_before(project: Project) -> None:
    mix(project, Part(share=2), Part(share=1, temperature=0.7))
    mix(project, Part(share=1, temperature=0.7))
    mix(project, Part(share=1, temperature=0.7))  # no change
    assert mixture_of(project) == [Part(share=1, temperature=0.7)]
    newest, _first = AuditEvent.objects.filter(verb="change mixture")
    assert newest.detail == {
        "before": [
            {"policy": None, "share": 2, "temperature": None},
            {"policy": None, "share": 1, "temperature": 0.7},
        ],
        "after": [{"policy": None, "share": 1, "temperature": 0.7}],
    }
    with pytest.raises(IntegrityError), transaction.atomic():
        MixturePart.objects.create(project=project, position=9, share=0)


@pytest.mark.django_db(transaction=True)
def test_it_opens_when_every_part_is_there_and_each_completion_names_its_own_policy(broker: redis.Redis) -> None:
    project = two_policies()
    make_chat(project=project)
    (comparison,) = sampled_comparisons.make_comparisons(project, num=1, seed=1, by=None)
    own, other, greedy = parts_of(comparison)
    assert send_result(own, "A.", "B.")
    assert send_result(greedy, "C.")
    comparison.refresh_from_db()
    assert (comparison.state, comparison.open_slots) == ("sampling", 0)
    assert send_result(other, "D.")
    assert not send_result(other, "D.")  # a second copy
    comparison.refresh_from_db()
    assert (comparison.state, comparison.open_slots) == ("open", 1)
    seeds = {run.policy.name: run.sampling["seed"] for run in (own, other)}
    assert {
        one.content: (one.policy and one.policy.name, one.sampling["temperature"], one.sampling["seed"])  # type: ignore[index]
        for one in comparison.completions.select_related("policy")
    } == {
        "A.": ("own", 1.0, seeds["own"]),
        "B.": ("own", 1.0, seeds["own"] + 1),
        "D.": ("other", 0.7, seeds["other"]),
        "C.": ("own", 0.0, greedy.sampling["seed"]),
    }


@pytest.mark.django_db(transaction=True)
def test_the_export_attributes_each_completion(broker: redis.Redis) -> None:
    project = two_policies()
    make_chat(project=project)
    (comparison,) = sampled_comparisons.make_comparisons(project, num=1, seed=1, by=None)
    for run, texts in zip(parts_of(comparison), (("A.", "B."), ("D.",), ("C.",)), strict=True):
        send_result(run, *texts)
    comparison.refresh_from_db()
    ranking = make_ranking(project=project, comparison=comparison)
    (record,) = read_rankings([str(ranking.id)], Filters())
    told = {one.content: (one.policy, one.sampling and one.sampling.temperature) for one in record.completions}
    assert told == {"A.": ("own", 1.0), "B.": ("own", 1.0), "D.": ("other", 0.7), "C.": ("own", 0.0)}
    statistics = RankingStatistics()
    statistics.add(record)
    assert statistics.counts()["by_policy"] == {"own": 3, "other": 1}


@pytest.mark.django_db(transaction=True)
def test_who_ranks_sees_nothing_of_the_mixture(broker: redis.Redis) -> None:
    project = make_project(policy=make_policy(name="zebra-policy"))
    mix(project, Part(share=2, temperature=0.123), Part(policy=make_policy(name="yak-policy"), share=2))
    make_chat(project=project)
    (comparison,) = sampled_comparisons.make_comparisons(project, num=1, seed=1, by=None)
    for number, run in enumerate(reversed(parts_of(comparison))):
        send_result(run, f"A{number}.", f"B{number}.")
    alice = make_user(username="alice", projects=[project])
    client = as_user(alice)
    page = client.post(reverse("rank", args=(project.slug,)), follow=True).content.decode()
    assert all(text in page for text in ("A0.", "B0.", "A1.", "B1."))
    seeds = [str(run.sampling["seed"]) for run in comparison.sampling_runs.all()]
    runs = [str(run.id) for run in comparison.sampling_runs.all()]
    assert not [told for told in ("zebra", "yak", "0.123", *seeds, *runs) if told in page]


@pytest.mark.django_db(transaction=True)
def test_each_parts_request_names_its_policy_and_temperature(
    broker: redis.Redis, commits: Callable[[], AbstractContextManager[Any]]
) -> None:
    project = two_policies()
    make_chat(project=project)
    (comparison,) = sampled_comparisons.make_comparisons(project, num=1, seed=1, by=None)
    requests = [dispatch.request_of(run) for run in parts_of(comparison)]
    assert [(one.policy, one.policy_path, one.sampling.temperature, one.num_completions) for one in requests] == [
        ("own", "policies/own", 1.0, 2),
        ("other", "policies/other", 0.7, 1),
        ("own", "policies/own", 0.0, 1),
    ]


def parts_of(comparison: Comparison) -> list[SamplingRun]:
    """Its runs by falling temperature, each sent."""
    sampling_runs.send_waiting()
    runs = comparison.sampling_runs.select_related("policy")
    return sorted(runs, key=lambda run: -run.sampling["temperature"])
