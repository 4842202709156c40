"""How long what is kept: one rule a kind, for what an administrator has given a number of days (PARLEY_KEEP_DAYS).

Without one everything that people made is kept for ever. No rule reaches a demonstration that was handed in, or a
ranking of one who works here. What is forgotten whatever the settings say, docs/erasure.md lists.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from labeling.models import Appeal, Completion, Dialogue, DrawnText, Ranking, Thumb, User, Withheld
from labeling.preview.erasure import BATCH, erase_dialogues
from labeling.retention import audit

State, Kind = Dialogue.State, Dialogue.Kind


def forget() -> int:
    """Delete what was kept for long enough, some of each kind; the next sweep goes on. Returns how many rows."""
    now = timezone.now()
    num = sum(RULES[kind](now - timedelta(days=days)) for kind, days in settings.KEEP_DAYS.items() if kind in RULES)
    return num + audit.forget_old_events() + audit.forget_words()


def forget_drafts(before: datetime) -> int:
    """Demonstrations that were begun and never handed in, untouched since then."""
    # One that was returned by a reviewer, or handed in and taken back, is work under way, and no draft of this rule.
    drafts = Dialogue.objects.filter(kind=Kind.DEMONSTRATION, state=State.DRAFT, submitted_at=None, reviewed_at=None)
    return _erase(drafts.filter(updated_at__lt=before))


def forget_chats(before: datetime) -> int:
    """Chats of those who work here that nobody ranked, rated or handed in, untouched since then."""
    chats = Dialogue.objects.filter(kind=Kind.CHAT, state=State.DRAFT, submitted_at=None, updated_at__lt=before)
    ranked = Ranking.objects.filter(
        Q(comparison__dialogue=OuterRef("pk")) | Q(comparison__message__dialogue=OuterRef("pk"))
    )
    rated = Thumb.objects.filter(message__dialogue=OuterRef("pk"))
    gone_on_with = Dialogue.objects.filter(branched_from=OuterRef("pk"))
    return _erase(chats.filter(~Exists(ranked), ~Exists(rated), ~Exists(gone_on_with)))


def forget_visits(before: datetime) -> int:
    """Visitors' chats with all that was made of them, untouched since then."""
    return _erase(Dialogue.objects.filter(kind=Kind.VISITOR, updated_at__lt=before))


def forget_suggestions(before: datetime) -> int:
    """Suggestions that nobody took, of dialogues that are decided on: whose words they were is settled."""
    decided = Q(run__dialogue__state__in=Dialogue.DECIDED, run__dialogue__updated_at__lt=before)
    offered = Completion.objects.filter(decided, comparison=None, taken_at=None, used_in=None, created_at__lt=before)
    offered = offered.filter(run__purpose="suggestion", screenings=None, reports=None)
    ids = list(offered.values_list("pk", flat=True)[: 10 * BATCH])
    return Completion.objects.filter(pk__in=ids).delete()[1].get("labeling.Completion", 0)


def forget_withheld(before: datetime) -> int:
    """Texts that the filter withheld, unless an appeal on one is open or people are still to label it."""
    waiting = Appeal.objects.waiting().order_by().values("screening")
    unsettled = DrawnText.objects.unsettled().values("screening")
    old = Withheld.objects.filter(screening__created_at__lt=before)
    old = old.exclude(screening__in=waiting).exclude(screening__in=unsettled)
    ids = list(old.values_list("pk", flat=True)[: 10 * BATCH])
    return Withheld.objects.filter(pk__in=ids).delete()[0]


RULES: dict[str, Callable[[datetime], int]] = {
    "drafts": forget_drafts,
    "chats": forget_chats,
    "visits": forget_visits,
    "suggestions": forget_suggestions,
    "withheld": forget_withheld,
}


def _erase(dialogues: QuerySet[Dialogue]) -> int:
    """One batch of them, and where the words went that were made of them: an erasure, which exports hear of."""
    ids = list(dialogues.order_by("updated_at").values_list("pk", flat=True)[:BATCH])
    these = Dialogue.objects.filter(pk__in=ids)
    authors = User.objects.filter(pk__in=these.order_by().values("author"))
    return sum(erase_dialogues(these, by=author, is_asked=False) for author in authors)
