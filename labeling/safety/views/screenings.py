"""What the content filter saw in a project: the list, and one screening, whose text is shown on demand. What was
withheld is not to be read here, by nobody.
"""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from labeling.models import Screening
from labeling.models.safety.categories import CATEGORIES
from labeling.web import access
from labeling.web.access import REVIEWERS
from labeling.web.listing import NEWEST, OLDEST, ListFilter, by_column, by_days, listing

_YES_NO = (("yes", _("yes")), ("no", _("no")))


@access.role_required(*REVIEWERS)
@require_GET
def screenings(request: HttpRequest, slug: str) -> HttpResponse:
    """All screenings, newest first, narrowed by what was chosen."""
    project = access.project_for(request, slug)
    found = listing(
        request.GET,
        Screening.objects.filter(project=project).select_related("filter"),
        orders=(NEWEST, OLDEST),
        filters=(
            by_column("verdict", _("Verdict"), Screening.Verdict.choices),
            by_column("category", _("Category"), list(CATEGORIES.items())),
            by_column("side", _("Side"), Screening.Side.choices),
            _yes_no("acted", _("Acted")),
            _yes_no("in_shadow", _("In shadow")),
            by_days("created_at"),
        ),
    )
    context = {"project": project, "section": "quality", "listing": found}
    return render(request, "labeling/safety/screenings.html", context)


@access.role_required(*REVIEWERS)
@require_GET
def screening(request: HttpRequest, slug: str, screening_id: uuid.UUID) -> HttpResponse:
    """One screening with its probabilities; with `text` in the query, the text as people were shown it."""
    project = access.project_for(request, slug)
    rows = Screening.objects.filter(project=project).select_related("filter", "message", "completion", "run")
    found = get_object_or_404(rows, id=screening_id)
    context = {
        "project": project,
        "section": "quality",
        "screening": found,
        "probabilities": sorted(found.probabilities.items(), key=lambda pair: -pair[1]),
        "text": found.shown_text if "text" in request.GET else None,
    }
    return render(request, "labeling/safety/screening.html", context)


def _yes_no(name: str, label: object) -> ListFilter:
    return ListFilter(
        name=name,
        label=label,  # type: ignore[arg-type]
        choices=_YES_NO,
        apply=lambda rows, value: rows.filter(**{name: value == "yes"}),
    )
