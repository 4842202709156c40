"""The queue in which texts are labelled, one at a time and by keyboard."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from labeling.models.safety.categories import CATEGORIES
from labeling.safety import labels, lookup
from labeling.safety.appeal_forms import LabelForm
from labeling.safety.labels import LabelError
from labeling.web import access
from labeling.web.access import REVIEWERS


@access.role_required(*REVIEWERS)
@require_http_methods(["GET", "POST"])
def label(request: HttpRequest, slug: str) -> HttpResponse:
    """The next text for this person; a label of the one before goes with the request for it."""
    project, user = access.project_for(request, slug), access.person(request)
    status = 200
    if request.method == "POST":
        form = LabelForm(request.POST)
        if form.is_valid():
            drawn_id: uuid.UUID = form.cleaned_data["drawn"]
            try:
                labels.put_label(lookup.drawn_text_of(project, drawn_id), form.answers, by=user)
            except LabelError as error:
                messages.error(request, str(error))
            return redirect("label_texts", slug)
        status = 422
    labels.draw_if_few(project)
    drawn = labels.next_text(project, user)
    context = {
        "project": project,
        "section": "quality",
        "drawn": drawn,
        "text": drawn.screening.whole_text if drawn else "",
        "categories": [(str(key), name, label) for key, (name, label) in enumerate(CATEGORIES.items(), 1)],
        "num_waiting": labels.num_waiting(project, user),
    }
    return render(request, "labeling/safety/label_texts.html", context, status=status)
