"""Visitors' words in exports: the one filter by which nothing of a preview leaves without consent in force.

Every kind of export passes its rows through `only_consented`; it knows who made a row by the kind of row it is.
"""

from typing import TypeVar

from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from labeling.models import Consent, Dialogue, Prompt, Ranking, Thumb, User, VisitorPrompt

Row = TypeVar("Row", bound=Model)

# Of each kind of row: who made it, in which project, and when.
_MADE: dict[type[Model], tuple[str, str, str]] = {
    Ranking: ("trainer", "comparison__project", "ranked_at"),
    Dialogue: ("author", "project", "created_at"),
    Thumb: ("created_by", "project", "given_at"),
}


def only_consented(rows: QuerySet[Row]) -> QuerySet[Row]:
    """Without what visitors made, but where they consented to training before they made it and still do."""
    if rows.model is Prompt:
        taken_in = VisitorPrompt.objects.filter(prompt=OuterRef("pk"))
        of_consent = taken_in.filter(
            Exists(_in_force(OuterRef("dialogue__author"), OuterRef("dialogue__project"), OuterRef("at")))
        )
        return rows.filter(~Exists(taken_in) | Exists(of_consent))
    if rows.model not in _MADE:
        return rows  # adjudications: a reviewer's, of comparisons that no visitor is asked about
    person, project, at = _MADE[rows.model]
    consented = Exists(_in_force(OuterRef(person), OuterRef(project), OuterRef(at)))
    return rows.filter(Q(**{person: None}) | ~Q(**{f"{person}__role": User.Role.VISITOR}) | consented)


def _in_force(person: OuterRef, project: OuterRef, at: OuterRef) -> QuerySet[Consent]:
    return Consent.objects.in_force().filter(user=person, preview__project=project, training=True, at__lte=at)
