"""Where somebody's own words stand beside work that is kept: which column, whose they are, and what takes their place.

Knows rows only. Nothing here deletes work: what holds nothing but words is in `DELETED`.
"""

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model, Q, QuerySet

from labeling.models import (
    Adjudication,
    ApiToken,
    Appeal,
    Case,
    Comment,
    Conflict,
    Dialogue,
    FilterRules,
    Lease,
    Mark,
    Membership,
    Objection,
    PassedPrompt,
    Probe,
    Promotion,
    Ranking,
    Rating,
    ReturnedRanking,
    Snippet,
    User,
    Withdrawal,
)

BLANK = "(erased)"  # where a row must say something


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """Columns of rows that stay: `blanks` is what each column becomes, `whose` leads from the row to the person."""

    rows: type[Model]
    whose: str
    blanks: dict[str, Any]
    where: Q = field(default_factory=Q)

    def of(self, person: User) -> QuerySet[Any]:
        """The rows of this person in which a column still says something."""
        said = Q()
        for column, blank in self.blanks.items():
            said |= ~Q(**{column: blank})
        return self.rows._default_manager.filter(self.where, said, **{self.whose: person})

    def blank(self, person: User) -> int:
        """Put the blanks in place of the words; returns in how many rows."""
        # By id: a condition that joins cannot be updated by.
        ids = list(self.of(person).values_list("pk", flat=True))
        return self.rows._default_manager.filter(pk__in=ids).update(**self.blanks)


WORDS = (
    Words(rows=Ranking, whose="trainer", blanks={"note": ""}),
    Words(rows=Ranking, whose="trainer", blanks={"abstained": BLANK}, where=Q(abstained__isnull=False)),
    Words(rows=Rating, whose="ranking__trainer", blanks={"note": ""}),
    Words(rows=Lease, whose="trainer", blanks={"draft": {}, "skip_reason": ""}),
    Words(rows=Adjudication, whose="reviewer", blanks={"draft": {}, "words": ""}),
    Words(rows=ReturnedRanking, whose="adjudication__reviewer", blanks={"words": ""}),
    Words(rows=Dialogue, whose="reviewed_by", blanks={"review_comment": ""}),
    Words(rows=Appeal, whose="person", blanks={"why": ""}),
    Words(rows=Appeal, whose="decided_by", blanks={"reply": BLANK}, where=~Q(reply="")),
    Words(rows=Case, whose="decided_by", blanks={"why": ""}),
    Words(rows=Probe, whose="created_by", blanks={"why": ""}),
    Words(rows=Promotion, whose="by", blanks={"reason": BLANK}, where=~Q(reason="")),
    Words(rows=FilterRules, whose="created_by", blanks={"note": ""}),
    Words(rows=Withdrawal, whose="by", blanks={"text": BLANK}, where=~Q(text="")),
    Words(rows=Withdrawal, whose="undone_by", blanks={"undone_reason": ""}),
    Words(rows=Mark, whose="juror__user", blanks={"why": BLANK}),
    Words(rows=Conflict, whose="juror__user", blanks={"why": BLANK}, where=Q(came_by="declared")),
    Words(rows=Objection, whose="decided_by", blanks={"reply": BLANK}, where=~Q(reply="")),
)

# Rows of one person alone, which go whole.
DELETED: tuple[tuple[type[Model], str], ...] = (
    (Comment, "author"),
    (Snippet, "owner"),
    (PassedPrompt, "trainer"),
    (Membership, "user"),
    (ApiToken, "owner"),  # with the answers that were kept for repeated writes
)
