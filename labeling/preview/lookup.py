"""Rows of a preview, found and authorised in one step, as labeling.web.access does: what is missing looks like 404."""

import uuid

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from labeling.models import Dialogue, Preview, SamplingRun
from labeling.web.access import person


def preview_at(slug: str) -> Preview:
    """The preview at a public address, open or not; of an archived project there is none."""
    rows = Preview.objects.select_related("project__policy", "second_policy").filter(project__archived_at=None)
    return get_object_or_404(rows, slug=slug)


def visited_preview(request: HttpRequest, slug: str) -> Preview:
    """A preview whose terms this visitor has agreed to."""
    preview = preview_at(slug)
    if not preview.consents.in_force().filter(user=person(request)).exists():
        raise Http404
    return preview


def own_visit(request: HttpRequest, dialogue_id: uuid.UUID, *, preview: Preview) -> Dialogue:
    """A dialogue of this visitor in this preview."""
    rows = Dialogue.objects.select_related("project__policy").filter(kind=Dialogue.Kind.VISITOR)
    return get_object_or_404(rows, id=dialogue_id, author=person(request), project=preview.project_id)


def own_visits_run(request: HttpRequest, run_id: uuid.UUID, *, slug: str) -> SamplingRun:
    """A sampling run in a dialogue of this visitor, in this preview."""
    rows = SamplingRun.objects.filter(dialogue__kind=Dialogue.Kind.VISITOR)
    return get_object_or_404(rows, id=run_id, requested_by=person(request), project__preview__slug=slug)
