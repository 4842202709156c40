"""The content filters: the list, one that is added, and what becomes of each."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling.models import Filter
from labeling.models.safety.categories import ALWAYS_BLOCKS, CATEGORIES, category_name
from labeling.safety import filters as safety_filters
from labeling.safety import shadow
from labeling.safety.forms import PromotionForm, ServedFilterForm
from labeling.web import access
from labeling.web.access import ENGINEERS

_FIGURES = ("auprc", "warn_precision", "block_precision")


@access.role_required(*ENGINEERS)
@require_http_methods(["GET", "POST"])
def filters(request: HttpRequest) -> HttpResponse:
    """Every filter with its state, and a form for a server."""
    Filter.objects.in_force()  # the bundled one has a row from here on
    form = ServedFilterForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = safety_filters.add_served(**form.cleaned_data, by=access.person(request))
        except safety_filters.FilterError as error:
            form.add_error(None, str(error))
        else:
            return redirect("filter", made.pk)
    context = {"section": "filters", "filters": Filter.objects.all(), "form": form}
    return render(request, "labeling/safety/filters.html", context, status=422 if form.errors else 200)


@access.role_required(*ENGINEERS)
@require_GET
def filter_page(request: HttpRequest, filter_id: uuid.UUID) -> HttpResponse:
    """One filter: thresholds, figures, what would change if it were in force."""
    return _page(request, get_object_or_404(Filter, id=filter_id))


@access.role_required(*ENGINEERS)
@require_POST
def promote_filter(request: HttpRequest, filter_id: uuid.UUID) -> HttpResponse:
    """Put a filter in shadow or in force, or retire it."""
    found = get_object_or_404(Filter, id=filter_id)
    form = PromotionForm(request.POST)
    if not form.is_valid():
        return _page(request, found, problem=_("Say what is to become of it."), status=422)
    try:
        safety_filters.promote(found, **form.cleaned_data, by=access.person(request))
    except safety_filters.FilterError as error:
        return _page(request, found, problem=str(error), status=422)
    messages.success(request, _("%(name)s: done.") % {"name": found.name})
    return redirect("filter", found.pk)


def _page(request: HttpRequest, found: Filter, *, problem: str = "", status: int = 200) -> HttpResponse:
    figures = safety_filters.figures_of(found)
    thresholds = safety_filters.thresholds_of(found)
    context = {
        "section": "filters",
        "filter": found,
        "categories": [
            {
                "name": category_name(name),
                "warn_at": thresholds.get(name, {}).get("warn_at"),
                "block_at": thresholds.get(name, {}).get("warn_at" if name == ALWAYS_BLOCKS else "block_at"),
                "shown": [figures.get(name, {}).get(figure) for figure in _FIGURES],
            }
            for name in CATEGORIES
        ],
        "is_known": bool(thresholds or figures),
        "choices": safety_filters.choices_for(found),
        "problem": problem,
        "difference": shadow.difference(found, reader=access.person(request)),
    }
    return render(request, "labeling/safety/filter.html", context, status=status)
