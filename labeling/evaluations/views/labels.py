"""The queue in which answers to probes are labelled: one a screen, blind, by keyboard."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from labeling.evaluations import probe_labels, probe_runs
from labeling.evaluations.forms import ProbeLabelForm
from labeling.evaluations.probe_labels import CHOICES, ProbeLabelError
from labeling.models import ProbeLabel
from labeling.web import access
from labeling.web.access import RANKERS


@access.role_required(*RANKERS)
@require_http_methods(["GET", "POST"])
def label_probes(request: HttpRequest, slug: str) -> HttpResponse:
    """The next answer for this person; the label of the one before goes with the request for it."""
    project, user = access.project_for(request, slug), access.person(request)
    status = 200
    if request.method == "POST":
        form = ProbeLabelForm(request.POST)
        if form.is_valid():
            own = ProbeLabel.objects.filter(by=user, answer__run__project=project)
            held = get_object_or_404(own, id=form.cleaned_data["label"])
            try:
                probe_labels.put(held, form.cleaned_data["value"], by=user)
            except ProbeLabelError as error:
                messages.error(request, str(error))
            return redirect("label_probes", slug)
        status = 422
    probe_runs.take_in(project)
    # Who takes no new work is given none; what was begun may be finished, as on the other boards.
    label = None if project.why_no_new_work else probe_labels.claim(project, by=user)
    context = {
        "project": project,
        "section": "rank",
        "label": label,
        "asked": label.answer.text if label else None,
        "text": label.answer.content if label else "",
        "choices": list(enumerate(CHOICES[label.answer.run.set_version.name], 1)) if label else [],
        "num_waiting": probe_labels.num_waiting(project, by=user),
    }
    return render(request, "labeling/evaluations/label_probes.html", context, status=status)
