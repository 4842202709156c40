"""A filter in shadow: it sees, after the fact, the texts that the one in force has seen, and never acts.

One batch is under way at a time; one that is lost is asked for again. What was withheld is not sent: it would stand in
the broker, so answers that were blocked are not compared.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from labeling.jobs import dispatch, screens
from labeling.models import Filter, Project, Screening, User
from labeling.sampling.screenings import row_of
from records import ScreenRequest, ScreenResult
from records.screening import Side

BATCH = 100  # texts
LOST_AFTER = timedelta(minutes=5)
LOOKS_BACK = timedelta(days=1)
MOST_COMPARED = 5_000  # screenings in shadow, the newest, of which a filter's page tells what would change
MOST_SHOWN = 25

Verdict = Screening.Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """What a filter in shadow said of texts against what the one in force had said: how often, and where."""

    num: int
    counts: list[tuple[str, str, int]]  # (before, in shadow, how often), where the two differ
    rows: list[tuple[Screening, Screening]]  # (before, in shadow) of texts that this reader may open


def ask() -> int:
    """Send the next batch of one project to the filter in shadow, unless one is under way; returns how many texts."""
    with transaction.atomic():
        free = Q(shadow_asked_at=None) | Q(shadow_asked_at__lt=timezone.now() - LOST_AFTER)
        found = Filter.objects.select_for_update(skip_locked=True).filter(free, state=Filter.State.SHADOW).first()
        rows = _unseen(found) if found is not None else []
        if found is None or not rows:
            return 0
        project = rows[0].project_id
        version = screens.version_in_force(project)
        screen = screens.screen_by(found, project_id=project, version=version) or screens.screen_by(
            found, project_id=project, version=screens.OWN_THRESHOLDS
        )
        assert screen is not None
        request = ScreenRequest(
            ids=tuple(str(row.pk) for row in rows),
            texts=tuple(row.shown_text for row in rows),
            sides=tuple(cast(Side, row.side) for row in rows),
            screen=screen,
        )
        found.shadow_asked_at = Now()
        found.save(update_fields=["shadow_asked_at"])
        transaction.on_commit(lambda: dispatch.send_screening(request), robust=True)
    return len(rows)


def record(result: ScreenResult) -> int:
    """Store what the filter in shadow said, beside the screening of the same text; returns how many rows."""
    with transaction.atomic():
        rows = Screening.objects.filter(pk__in=result.ids, in_shadow=False)
        originals = {str(row.pk): row for row in rows.select_related("run")}
        names = {seen.filter for seen in result.screenings}
        # Locked, so that a batch which was sent twice is stored once.
        filters = {one.name: one for one in Filter.objects.select_for_update().filter(name__in=names).order_by("pk")}
        made = []
        for identifier, seen in zip(result.ids, result.screenings, strict=False):
            original, by = originals.get(identifier), filters.get(seen.filter)
            if original is None or by is None or _sees(by, original):
                continue
            row = row_of(
                seen,
                by,
                project_id=original.project_id,
                rules_version=original.rules_version,
                message_id=original.message_id,
                completion_id=original.completion_id,
                run_id=original.run_id,
            )
            row.acted, row.in_shadow, row.attempt = False, True, original.attempt
            made.append(row)
        Screening.objects.bulk_create(made)
        Filter.objects.filter(pk__in=[one.pk for one in filters.values()]).update(shadow_asked_at=None)
    return len(made)


def difference(found: Filter, *, reader: User) -> Difference:
    """What would change: the newest texts that it saw in shadow and judged otherwise."""
    seen = Screening.objects.filter(filter=found, in_shadow=True).order_by("-created_at", "-id")
    shadows = list(seen.select_related("project").defer("probabilities")[:MOST_COMPARED])
    keys = [_key(row) for row in shadows]
    of = Q(message__in=[key[0] for key in keys if key[0]]) | Q(completion__in=[key[1] for key in keys if key[1]])
    before = {_key(row): row for row in Screening.objects.filter(of, in_shadow=False).order_by("created_at", "id")}
    pairs = [(before[key], row) for key, row in zip(keys, shadows, strict=True) if key in before]
    differ = [(old, new) for old, new in pairs if old.verdict != new.verdict]
    counts = Counter((old.get_verdict_display(), new.get_verdict_display()) for old, new in differ)
    readable = set(Project.objects.visible_to(reader).values_list("pk", flat=True)) if reader.can_review else set()
    return Difference(
        num=len(pairs),
        counts=[(old, new, num) for (old, new), num in counts.most_common()],
        rows=[(old, new) for old, new in differ if new.project_id in readable][:MOST_SHOWN],
    )


def _unseen(found: Filter) -> Sequence[Screening]:
    """Screenings of the last day, of one project, whose texts the filter in shadow has not seen."""
    text = Q(message=OuterRef("message")) | Q(completion=OuterRef("completion"))
    same = Screening.objects.filter(text, filter=found, in_shadow=True, side=OuterRef("side"))
    rows = (
        Screening.objects.filter(~Exists(same), in_shadow=False, created_at__gte=timezone.now() - LOOKS_BACK)
        .exclude(side=Screening.Side.ANSWERED, verdict=Verdict.BLOCK)
        .exclude(message=None, completion=None)
        .select_related("message", "completion", "run")
        .order_by("created_at", "id")
    )
    some = list(rows[:BATCH])
    return [row for row in some if row.project_id == some[0].project_id]


def _sees(by: Filter, original: Screening) -> bool:
    same = Screening.objects.filter(filter=by, in_shadow=True, project=original.project_id, side=original.side)
    return same.filter(message=original.message_id, completion=original.completion_id).exists()


def _key(row: Screening) -> tuple[Any, Any, str]:
    return row.message_id, row.completion_id, row.side
