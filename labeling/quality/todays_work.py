"""What a person has done since midnight in their time zone, how long it took them, and their own goal for a day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from django.utils import timezone

from labeling.models import Dialogue, Ranking, User


@dataclass(frozen=True, kw_only=True)
class TodaysWork:
    """Counts, and medians in seconds, None where no time is known. `goal` is the person's own, None without one."""

    num_rankings: int
    num_dialogues: int
    ranking_seconds: float | None
    dialogue_seconds: float | None
    goal: int | None

    @property
    def num(self) -> int:
        return self.num_rankings + self.num_dialogues

    @property
    def is_reached(self) -> bool:
        return self.goal is not None and self.num >= self.goal


def todays_work(user: User) -> TodaysWork:
    """Rankings that count and dialogues that were handed in, since midnight of the active time zone."""
    since = midnight()
    rankings = Ranking.objects.filter(trainer=user, retracted_at=None, ranked_at__gte=since)
    dialogues = Dialogue.objects.filter(author=user, submitted_at__gte=since).exclude(state=Dialogue.State.WITHDRAWN)
    times_of_rankings = list(rankings.values_list("seconds", flat=True))
    times_of_dialogues = list(dialogues.values_list("seconds", flat=True))
    return TodaysWork(
        num_rankings=len(times_of_rankings),
        num_dialogues=len(times_of_dialogues),
        ranking_seconds=_median(times_of_rankings),
        dialogue_seconds=_median(times_of_dialogues),
        goal=user.preferences.get("daily_goal"),
    )


def midnight() -> datetime:
    """The beginning of today in the zone that is active, which is the account's."""
    return timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)


def _median(seconds: Iterable[float | None]) -> float | None:
    known = [one for one in seconds if one]
    return median(known) if known else None
