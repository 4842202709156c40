"""How well a project's people judge: each trainer's ability, and how far people agree. Measured by a worker.

The simulated trainer is left out, and who ranked in an imported file is counted apart from the project's own people.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Max, QuerySet
from django.utils import timezone

from judging import Ability, Agreement, PeopleAgreement, WeakOrder, fit_abilities, people_agreement
from labeling.models import Comparison, Completion, JudgingFigures, Project, Ranking
from labeling.statistics.intervals import Estimate

NEWEST = 2000  # rankings of comparisons that several people ranked: three seconds of one core
FEWEST = 20  # of a trainer's rankings beside others; below, nothing is shown of their ability
_PAUSE = timedelta(minutes=10)  # between two measurements of a project: ranking goes on, and a figure hardly moves


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedWell:
    """One trainer's ability (1 in the middle, 0 a coin) and share of ties between equals; n counts rankings."""

    ability: Estimate
    ties: Estimate


@dataclass(frozen=True, kw_only=True, slots=True)
class AgreementFigures:
    """Shares with their intervals; None where there is one prompt or one person alone. n counts votes."""

    num_people: int
    of_two: Estimate | None
    with_majority: Estimate | None
    prefers_longer: Estimate | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Judging:
    measured_at: datetime
    people: AgreementFigures | None
    imported: AgreementFigures | None
    trainers: dict[UUID, JudgedWell]


def judging_of(project: Project) -> Judging | None:
    """The newest measurement; None before the first."""
    kept = JudgingFigures.objects.filter(project=project).first()
    if kept is None or kept.measured_at is None:
        return None
    trainers = {
        UUID(identifier): JudgedWell(ability=Estimate(**one["ability"]), ties=Estimate(**one["ties"]))
        for identifier, one in kept.figures["trainers"].items()
    }
    return Judging(
        measured_at=kept.measured_at,
        people=_read(kept.figures["people"]),
        imported=_read(kept.figures["imported"]),
        trainers=trainers,
    )


def measure_due() -> int:
    """Look at one project, the one that waits longest, and measure it if its rankings have changed; returns how many
    were measured. A sweep's chore: one at a time, since the others wait meanwhile.
    """
    recent = JudgingFigures.objects.filter(looked_at__gt=timezone.now() - _PAUSE).values("project")
    waiting = Project.objects.current().exclude(pk__in=recent)
    project = waiting.order_by(F("judging_figures__looked_at").asc(nulls_first=True), "created_at").first()
    if project is None:
        return 0
    state = _state(project)
    kept, _ = JudgingFigures.objects.update_or_create(project=project, defaults={"looked_at": timezone.now()})
    if not state or kept.state == state:
        return 0
    measure(project, state=state)
    return 1


def measure(project: Project, *, state: str | None = None) -> None:
    """Fit and keep the figures of a project's newest rankings."""
    people, imported, lengths = _orders(project)
    JudgingFigures.objects.update_or_create(
        project=project,
        defaults={
            "state": state if state is not None else _state(project),
            "measured_at": timezone.now(),
            "looked_at": timezone.now(),
            "figures": {
                "people": _agreement(people, lengths),
                "imported": _agreement(imported, lengths),
                "trainers": _trainers(people),
            },
        },
    )


def _shared(project: Project) -> QuerySet[Ranking]:
    """Whole orders of work that several people ranked."""
    return Ranking.objects.filter(
        comparison__project=project,
        comparison__use=Comparison.Use.WORK,
        comparison__num_rankings__gt=1,
        retracted_at=None,
        abstained=None,
        is_choice=False,
    )


def _state(project: Project) -> str:
    """What changes whenever the rankings do; empty where no comparison has two."""
    found = _shared(project).aggregate(num=Count("id"), newest=Max("ranked_at"))
    return f"{found['num']} {found['newest']:%Y-%m-%dT%H:%M:%S}" if found["num"] else ""


def _orders(project: Project) -> tuple[list[WeakOrder], list[WeakOrder], dict[str, float]]:
    """Of the project's people, of those in imported files, and the characters of each completion."""
    rankings = list(
        _shared(project)
        .exclude(trainer__is_simulated=True)
        .order_by("-ranked_at", "id")
        .values("comparison_id", "comparison__prompt_sha256", "trainer_id", "outside_trainer", "tiers")[:NEWEST]
    )
    texts = _texts({ranking["comparison_id"] for ranking in rankings})
    people: list[WeakOrder] = []
    imported: list[WeakOrder] = []
    lengths: dict[str, float] = {}
    for ranking in rankings:
        comparison = str(ranking["comparison_id"])
        names = _names(texts[ranking["comparison_id"]])
        places = {names[one]: tier for tier, members in enumerate(ranking["tiers"]) for one in members if one in names}
        for identifier, text in texts[ranking["comparison_id"]].items():
            lengths[f"{comparison}/{names[identifier]}"] = float(len(text))
        order = WeakOrder(
            trainer=str(ranking["trainer_id"] or ranking["outside_trainer"]),
            prompt=str(ranking["comparison__prompt_sha256"]),
            comparison=comparison,
            places=places,
        )
        if order.trainer:
            (people if ranking["trainer_id"] else imported).append(order)
    return people, imported, lengths


def _texts(comparisons: Iterable[UUID]) -> Mapping[UUID, dict[str, str]]:
    found: defaultdict[UUID, dict[str, str]] = defaultdict(dict)
    rows = Completion.objects.filter(comparison__in=comparisons).order_by("comparison", "index")
    for comparison, identifier, text in rows.values_list("comparison_id", "id", "content"):
        found[comparison][str(identifier)] = text
    return found


def _names(texts: Mapping[str, str]) -> dict[str, str]:
    """A completion goes by its text, so that comparisons of a prompt can share it; the same text twice is two."""
    names: dict[str, str] = {}
    for identifier, text in texts.items():
        name = sha256(text.encode()).hexdigest()[:16]
        while name in names.values():
            name += "+"
        names[identifier] = name
    return names


def _agreement(orders: list[WeakOrder], lengths: Mapping[str, float]) -> dict[str, Any] | None:
    found = people_agreement(orders, {"longer": lengths})
    return None if found is None else _written(found)


def _written(found: PeopleAgreement) -> dict[str, Any]:
    return {
        "num_people": found.of_two.num_people,
        "of_two": _estimate(found.of_two),
        "with_majority": _estimate(found.with_majority),
        "prefers_longer": _estimate(found.judges["longer"].with_one),
    }


def _estimate(found: Agreement) -> dict[str, Any] | None:
    if found.low is None or found.high is None:
        return None
    return asdict(Estimate(value=found.value, low=found.low, high=found.high, n=found.num_votes))


def _read(written: Mapping[str, Any] | None) -> AgreementFigures | None:
    if written is None:
        return None
    names = ("of_two", "with_majority", "prefers_longer")
    figures = {name: None if written[name] is None else Estimate(**written[name]) for name in names}
    return AgreementFigures(num_people=written["num_people"], **figures)


def _trainers(orders: list[WeakOrder]) -> dict[str, Any]:
    """Who ranked enough beside others, where there are people enough to tell them apart."""
    found = fit_abilities(orders)
    if not found.tells_apart:
        return {}
    return {name: _ability(one) for name, one in found.trainers.items() if one.num_rankings >= FEWEST}


def _ability(one: Ability) -> dict[str, Any]:
    ability = Estimate(value=one.value, low=one.low, high=one.high, n=one.num_rankings)
    ties = Estimate(value=one.ties, low=one.ties_low, high=one.ties_high, n=one.num_rankings)
    return {"ability": asdict(ability), "ties": asdict(ties)}
