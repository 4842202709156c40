"""The limits of a project's policies: what was asked, how far it is, and one policy beside another."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from labeling.evaluations import policy_limits, probe_runs
from labeling.evaluations.forms import SET_LABELS, PairForm, StartForm
from labeling.evaluations.probe_runs import ProbeRunError
from labeling.models import Policy, ProbeRun, Project, User
from labeling.web import access
from labeling.web.access import ENGINEERS, FIGURE_READERS


@access.role_required(*FIGURE_READERS)
@require_GET
def limits(request: HttpRequest, slug: str) -> HttpResponse:
    """Figures of two policies, if two are chosen, and every run with its progress."""
    project, user = access.project_for(request, slug), access.person(request)
    probe_runs.take_in(project)
    pair = PairForm(request.GET if "old" in request.GET else None, project=project)
    return _page(request, project, user, pair=pair, start=_start_form(project, None), status=200)


@access.role_required(*ENGINEERS)
@require_POST
def start_probes(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask a policy the probes of some sets."""
    project, user = access.project_at_work(request, slug), access.person(request)
    form = _start_form(project, request.POST)
    if form.is_valid():
        try:
            made = probe_runs.start(project, form.cleaned_data["policy"], form.cleaned_data["sets"], by=user)
        except ProbeRunError as error:
            form.add_error(None, str(error))
        else:
            said = _("The probes are asked overnight, with the other work.")
            messages.success(request, said if made else _("This policy was asked these sets already."))
            return redirect("limits", slug)
    return _page(request, project, user, pair=PairForm(project=project), start=form, status=422)


def _start_form(project: Project, values: Any) -> StartForm:
    usable = Policy.objects.open_to(project).exclude(state=Policy.State.RETIRED).order_by("name")
    return StartForm(values, policies=usable)


def _page(
    request: HttpRequest, project: Project, user: User, *, pair: PairForm, start: StartForm, status: int
) -> HttpResponse:
    found = None
    if pair.is_bound and pair.is_valid():
        found = policy_limits.compare(project, old=pair.cleaned_data["old"], new=pair.cleaned_data["new"])
    runs = ProbeRun.objects.filter(project=project).select_related("policy", "set_version").order_by("-created_at")
    context = {
        "project": project,
        "section": "quality",
        "pair": pair,
        "start": start if user.can_train_models else None,
        "can_label": user.can_write_and_rank,
        "runs": [(run, SET_LABELS[run.set_version.name], probe_runs.progress(run)) for run in runs],
        "found": found,
        "lines": [(SET_LABELS[line.probes], line) for line in found.lines] if found else [],
        "agreement": [(SET_LABELS[name], one) for name, one in found.agreement.items()] if found else [],
        "left_out": [(SET_LABELS[name], why) for name, why in found.left_out.items()] if found else [],
    }
    return render(request, "labeling/evaluations/limits.html", context, status=status)
