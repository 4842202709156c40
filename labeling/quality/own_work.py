"""The lists of a person's own rankings and dialogues, with their filters, and what each line says and leads to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from labeling.dialogues.listing import with_opening
from labeling.dialogues.review import that_can_be_put_back
from labeling.models import (
    Adjudication,
    Comparison,
    Dialogue,
    Lease,
    Project,
    Ranking,
    ReturnedRanking,
    User,
    Withdrawal,
)
from labeling.rankings import mending
from labeling.rankings.views.submitted import in_words
from labeling.web.listing import ListFilter, Listing, Order, by_days, listing

RANKINGS = "rankings"
DIALOGUES = "dialogues"
KINDS = (
    (RANKINGS, _("Rankings")),
    (DIALOGUES, _("Dialogues")),
    ("written", _("Dialogues written")),
    ("chats", _("Chats")),
    ("better", _("Better answers")),
)
_REPLACED = Q(retracted_at__isnull=False, lease=None, is_choice=False)
_CAME_BACK = ReturnedRanking.objects.filter(answered_at=None, adjudication__state=Adjudication.State.DONE)
_RANKING_STATES = {
    "counts": Q(retracted_at=None),
    "abstained": Q(retracted_at=None, abstained__isnull=False),
    "returned": Q(Exists(_CAME_BACK.filter(lease=OuterRef("lease"))), retracted_at=None),
    "changed": _REPLACED,
    "withdrawn": Q(retracted_at__isnull=False) & ~_REPLACED,
}
STATES = (
    ("counts", _("ranking that counts")),
    ("abstained", _("abstained")),
    ("changed", _("ranking changed since")),
    ("draft", _("draft")),
    ("submitted", _("waits for review")),
    ("returned", _("returned")),
    ("accepted", _("accepted")),
    ("withdrawn", _("withdrawn")),
)
_BETTER = Q(lease__isnull=False)
_DIALOGUE_KINDS = {
    "written": Q(kind=Dialogue.Kind.DEMONSTRATION) & ~_BETTER,
    "chats": Q(kind=Dialogue.Kind.CHAT),
    "better": _BETTER,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnWork:
    """A list that the kind leaves out is None."""

    rankings: Listing | None
    dialogues: Listing | None
    controls: Listing


def own_work(given: Mapping[str, str], user: User) -> OwnWork:
    """The page that `given`, the parameters of the URL's query, asks for."""
    projects = dict(Project.objects.visible_to(user).order_by("name").values_list("slug", "name"))
    kind = given.get("kind", "") if given.get("kind", "") in dict(KINDS) else ""
    rankings = _listed(given, _rankings(user), "ranked_at", projects, kind=RANKINGS, state=_of_rankings)
    mine = Dialogue.objects.filter(author=user)
    shown = mine if given.get("state") == "withdrawn" else mine.exclude(state=Dialogue.State.WITHDRAWN)
    opened = with_opening(shown.select_related("project"))
    dialogues = _listed(given, opened, "updated_at", projects, kind=DIALOGUES, state=_of_dialogues)
    in_force = list(Withdrawal.objects.in_force_for(user))
    for ranking in rankings.rows:
        _complete_ranking(ranking, user, projects, in_force)
    undoable = that_can_be_put_back([row for row in dialogues.rows if row.state == row.State.WITHDRAWN], by=user)
    for dialogue in dialogues.rows:
        _complete_dialogue(dialogue, projects, undoable)
    return OwnWork(
        rankings=rankings if kind in ("", RANKINGS) else None,
        dialogues=dialogues if kind != RANKINGS else None,
        controls=rankings if kind in ("", RANKINGS) else dialogues,
    )


def _rankings(user: User) -> QuerySet[Ranking]:
    held = Lease.objects.filter(comparison=OuterRef("comparison"), trainer=OuterRef("trainer")).values("id")[:1]
    rankings = Ranking.objects.filter(trainer=user).annotate(held=Subquery(held))
    back = _CAME_BACK.select_related("adjudication").order_by("-returned_at")
    rankings = rankings.prefetch_related(Prefetch("lease__returned", queryset=back, to_attr="came_back"))
    return rankings.select_related("comparison__project", "comparison__dialogue", "lease")


def _listed(
    given: Mapping[str, str],
    rows: QuerySet[Any],
    time: str,
    projects: Mapping[str, str],
    *,
    kind: str,
    state: Callable[[QuerySet[Any], str], QuerySet[Any]],
) -> Listing:
    path = "comparison__project__slug" if kind == RANKINGS else "project__slug"
    found = listing(
        given,
        rows,
        orders=(Order(name="newest", label="", columns=(f"-{time}", "-id")),),
        filters=(
            ListFilter(
                name="kind", label=_("What"), choices=KINDS, apply=_rankings_only if kind == RANKINGS else _of_kind
            ),
            _filter("project", _("Project"), tuple(projects.items()), lambda rows, slug: rows.filter(**{path: slug})),
            ListFilter(name="state", label=_("State"), choices=STATES, apply=state),
            by_days(time),
        ),
    )
    if given.get("kind", "") not in dict(KINDS) and found.next_query:
        return replace(found, next_query=f"{found.next_query}&kind={kind}")
    return found


def _filter(name: str, label: Any, choices: Sequence[Any], apply: Any) -> ListFilter:
    return ListFilter(name=name, label=label, choices=choices, apply=apply)


def _rankings_only(rows: QuerySet[Any], kind: str) -> QuerySet[Any]:
    return rows if kind == RANKINGS else rows.none()


def _of_kind(rows: QuerySet[Any], kind: str) -> QuerySet[Any]:
    if kind == RANKINGS:
        return rows.none()
    return rows.filter(_DIALOGUE_KINDS[kind]) if kind in _DIALOGUE_KINDS else rows


def _of_rankings(rows: QuerySet[Any], state: str) -> QuerySet[Any]:
    return rows.filter(_RANKING_STATES[state]) if state in _RANKING_STATES else rows.none()


def _of_dialogues(rows: QuerySet[Any], state: str) -> QuerySet[Any]:
    return rows.filter(state=state) if state in Dialogue.State.values else rows.none()


def _complete_ranking(ranking: Any, user: User, projects: Mapping[str, str], in_force: Sequence[Withdrawal]) -> None:
    """What the line of a ranking shows: its order, its state, and where to read, withdraw and put it back."""
    comparison, slug = ranking.comparison, ranking.comparison.project.slug
    is_replaced = ranking.retracted_at is not None and ranking.lease_id is None and not ranking.is_choice
    is_withdrawn = ranking.retracted_at is not None and not is_replaced
    ranking.question = comparison.question
    ranking.order = in_words(ranking)
    ranking.state = "changed" if is_replaced else "withdrawn" if is_withdrawn else ""
    if not ranking.state and comparison.state == Comparison.State.WITHDRAWN:
        ranking.state = "left out"
    ranking.reference_url = _reference_url(ranking, user)
    ranking.url = ranking.withdraw_url = ranking.put_back_url = ranking.change_url = ""
    ranking.came_back = None
    if slug not in projects:
        return
    ranking.url = _url_of(ranking, slug)
    if not ranking.state and ranking.lease is not None and ranking.lease.came_back:
        ranking.came_back = ranking.lease.came_back[0]
        ranking.change_url = reverse("change_ranking", args=(slug, ranking.lease_id))
    arguments = (slug, ranking.id)
    if ranking.retracted_at is None:
        ranking.withdraw_url = reverse("withdraw_ranking", args=arguments)
    elif mending.is_withdrawn(ranking) and not mending.is_taken_out(ranking, in_force):
        ranking.put_back_url = reverse("put_back_ranking", args=arguments)


def _url_of(ranking: Any, slug: str) -> str:
    """The ranking that its lease became, in its newest version; of a choice the chat that it was made in."""
    if ranking.held is not None:
        return reverse("lease", args=(slug, ranking.held))
    chat = ranking.comparison.dialogue
    if ranking.is_choice and chat is not None and chat.state != Dialogue.State.WITHDRAWN:
        return reverse("chat_dialogue", args=(slug, chat.id))
    return ""


def _reference_url(ranking: Ranking, user: User) -> str:
    """Where a reviewer adopts this order as a reference ranking. Gold items have it too, or they would stand out."""
    if not user.can_review or ranking.abstained is not None or ranking.retracted_at is not None:
        return ""
    url = reverse("new_reference", args=(ranking.comparison.project.slug, ranking.comparison_id))
    return f"{url}?adopt={ranking.id}"


def _complete_dialogue(dialogue: Any, projects: Mapping[str, str], undoable: set[str]) -> None:
    """What the line of a dialogue shows beside its own fields."""
    slug = dialogue.project.slug
    dialogue.url = dialogue.withdraw_url = dialogue.put_back_url = ""
    dialogue.is_better = dialogue.lease_id is not None
    if slug not in projects:
        return
    if dialogue.state == Dialogue.State.WITHDRAWN:
        if str(dialogue.pk) in undoable:
            dialogue.put_back_url = reverse("put_back_dialogue", args=(slug, dialogue.pk))
        return
    name = "chat_dialogue" if dialogue.kind == Dialogue.Kind.CHAT else "dialogue"
    dialogue.url = reverse(name, args=(slug, dialogue.pk))
    dialogue.withdraw_url = reverse("take_out_dialogue", args=(slug, dialogue.pk))
