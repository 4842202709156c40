"""The quality page of a project with its reports of outputs, and the page of a person's own work."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from labeling.dialogues.control_arm import arm_figures, has_control_arm
from labeling.dialogues.listing import with_opening
from labeling.models import AuditEvent, Dialogue, Ranking, Report, User
from labeling.quality.personal_statistics import personal_statistics
from labeling.quality.report import quality_figures
from labeling.rankings.views import board
from labeling.web import access
from labeling.web.access import WATCHERS, WRITERS
from labeling.web.form_fields import whole_number

PAGE = 25  # dialogues and rankings on a page of one's own work
MOST_REPORTS = 50  # shown at once; the others follow as these are handled


@access.role_required(*WATCHERS)
@require_GET
def quality(request: HttpRequest, slug: str) -> HttpResponse:
    """Figures with intervals, trainers one by one, and the reports that nobody has handled."""
    project = access.project_for(request, slug)
    context = {
        "project": project,
        "section": "quality",
        "figures": quality_figures(project),
        "arms": arm_figures(project) if has_control_arm(project) else None,
        "reports": project.reports.filter(state=Report.State.OPEN).select_related("completion__policy")[:MOST_REPORTS],
    }
    return render(request, "labeling/quality/quality.html", context)


@access.role_required(User.Role.ADMIN)
@require_POST
def handle_report(request: HttpRequest, slug: str, report_id: uuid.UUID) -> HttpResponse:
    """Mark a report as handled."""
    project = access.project_for(request, slug)
    report = get_object_or_404(Report, id=report_id, project=project)
    report.state = Report.State.HANDLED
    report.save(update_fields=["state"])
    AuditEvent.note("handle report", report, by=access.person(request))
    return redirect("quality", slug)


@access.role_required(*WRITERS)
@require_GET
def history(request: HttpRequest) -> HttpResponse:
    """A page of the person's own dialogues and rankings, newest first, with their statistics."""
    user = access.person(request)
    page = _page_number(request)
    start, end = page * PAGE, (page + 1) * PAGE
    dialogues = list(_dialogues(user)[start : end + 1])
    rankings = list(_rankings(user)[start : end + 1])
    has_more = len(dialogues) > PAGE or len(rankings) > PAGE
    context = {
        "section": "history",
        "pace": personal_statistics(user),
        "dialogues": [_with_url(dialogue) for dialogue in dialogues[:PAGE]],
        "rankings": [_row(ranking, user) for ranking in rankings[:PAGE]],
        "more_url": f"{reverse('history')}?page={page + 1}" if has_more else "",
    }
    return render(request, "labeling/quality/history.html", context)


def _page_number(request: HttpRequest) -> int:
    return min(whole_number(request.GET.get("page", "0")) or 0, 10_000)


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
        "note": ranking.note,
        "reference_url": _reference_url(ranking, user),
    }


def _reference_url(ranking: Ranking, user: User) -> str:
    """Where a reviewer adopts this order as a reference ranking. Gold items have it too, or they would stand out."""
    if not user.can_review or ranking.abstained is not None:
        return ""
    url = reverse("new_reference", args=(ranking.comparison.project.slug, ranking.comparison_id))
    return f"{url}?adopt={ranking.id}"


def _order(ranking: Ranking) -> str:
    """The order in the letters that were shown: B > A = C; for a choice B > A, C."""
    if ranking.abstained is not None:
        return _("abstained: %(reason)s") % {"reason": ranking.abstained}
    letters = board.letters(ranking.shown_order)
    joint = ", " if ranking.is_choice else " = "
    tiers = [joint.join(sorted(letters.get(identifier, "?") for identifier in tier)) for tier in ranking.tiers]
    return " > ".join(tiers)
