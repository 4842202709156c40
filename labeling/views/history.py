"""My work: what I wrote and ranked, and what became of it."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from labeling import access
from labeling.access import WRITERS
from labeling.dialogue_lists import with_opening
from labeling.models import Dialogue, Ranking, User
from labeling.pace import pace_of
from labeling.views import boards

PAGE = 25


@access.role_required(*WRITERS)
@require_GET
def history(request: HttpRequest) -> HttpResponse:
    user = access.person(request)
    page = _page_number(request)
    start, end = page * PAGE, (page + 1) * PAGE
    dialogues = list(_dialogues(user)[start : end + 1])
    rankings = list(_rankings(user)[start : end + 1])
    has_more = len(dialogues) > PAGE or len(rankings) > PAGE
    context = {
        "section": "history",
        "pace": pace_of(user),
        "dialogues": [_with_url(dialogue) for dialogue in dialogues[:PAGE]],
        "rankings": [_row(ranking, user) for ranking in rankings[:PAGE]],
        "more_url": f"{reverse('history')}?page={page + 1}" if has_more else "",
    }
    return render(request, "labeling/history.html", context)


def _page_number(request: HttpRequest) -> int:
    asked = request.GET.get("page", "0")
    return min(int(asked), 10_000) if asked.isdecimal() else 0


def _dialogues(user: User) -> Any:
    mine = Dialogue.objects.filter(author=user).exclude(state=Dialogue.State.WITHDRAWN)
    return with_opening(mine.select_related("project")).order_by("-updated_at")


def _rankings(user: User) -> Any:
    return Ranking.objects.filter(trainer=user).select_related("comparison__project").order_by("-ranked_at")


def _with_url(dialogue: Dialogue) -> Dialogue:
    name = "chat_dialogue" if dialogue.kind == Dialogue.Kind.CHAT else "dialogue"
    dialogue.url = reverse(name, args=(dialogue.project.slug, dialogue.pk))  # type: ignore[attr-defined]
    return dialogue


def _row(ranking: Ranking, user: User) -> dict[str, Any]:
    return {
        "question": ranking.comparison.messages[-1]["content"],
        "project_name": ranking.comparison.project.name,
        "ranked_at": ranking.ranked_at,
        "retracted_at": ranking.retracted_at,
        "order": _order(ranking),
        "reference_url": _reference_url(ranking, user),
    }


def _reference_url(ranking: Ranking, user: User) -> str:
    """Where a reviewer makes this order a reference ranking. A gold item has the link too: it looks like the rest."""
    if not user.can_review or ranking.abstained is not None:
        return ""
    url = reverse("new_reference", args=(ranking.comparison.project.slug, ranking.comparison_id))
    return f"{url}?adopt={ranking.id}"


def _order(ranking: Ranking) -> str:
    """The order in the letters that were shown: B > A = C; of a choice, B > A, C."""
    if ranking.abstained is not None:
        return _("abstained: %(reason)s") % {"reason": ranking.abstained}
    letters = boards.letters(ranking.shown_order)
    joint = ", " if ranking.is_choice else " = "
    tiers = [joint.join(sorted(letters.get(identifier, "?") for identifier in tier)) for tier in ranking.tiers]
    return " > ".join(tiers)
