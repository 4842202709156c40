"""Rows of appeals and labels, found and authorised in one step; a row of somebody else's looks like none."""

import uuid

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from labeling.models import Appeal, DrawnText, Project, Screening
from labeling.web import access


def own_screening(request: HttpRequest, screening_id: uuid.UUID, *, slug: str) -> Screening:
    """A screening of a text of this person, who need not be a member any more: what it did to them stays theirs."""
    rows = Screening.objects.select_related(
        "project", "message__dialogue", "completion__run__dialogue", "run__dialogue", "withheld"
    )
    found = get_object_or_404(rows, id=screening_id, project__slug=slug, in_shadow=False)
    if access.person(request).id not in found.speakers:
        raise Http404
    return found


def appeal_of(project: Project, appeal_id: uuid.UUID) -> Appeal:
    """An appeal of this project, for reviewers; whether it is theirs to decide, labeling.safety.appeals says."""
    rows = Appeal.objects.select_related(
        "project", "screening__message", "screening__completion", "screening__run", "screening__withheld"
    )
    return get_object_or_404(rows, id=appeal_id, project=project)


def drawn_text_of(project: Project, drawn_id: uuid.UUID) -> DrawnText:
    return get_object_or_404(DrawnText, id=drawn_id, project=project)


def screening_of(project: Project, screening_id: uuid.UUID) -> Screening:
    """A screening of this project, for reviewers."""
    rows = Screening.objects.select_related("project", "message", "completion", "run", "withheld")
    return get_object_or_404(rows, id=screening_id, project=project, in_shadow=False)
