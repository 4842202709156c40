"""Fetches a challenge's rows and authorises in one step, as labeling.web.access does: what is missing looks like 404.

A juror is no role: `juror_of` finds the person among the jurors of one challenge.
"""

import uuid

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from labeling.models import Challenge, DrawnJuror, Entry, Juror, Objection
from labeling.web.access import person, project_for


def challenge_of(slug: str) -> Challenge:
    """A challenge by its address. Anyone may read it."""
    return get_object_or_404(Challenge.objects.select_related("project"), slug=slug)


def challenge_for(request: HttpRequest, challenge_id: uuid.UUID, *, slug: str) -> Challenge:
    """A challenge of a project, for an admin."""
    project = project_for(request, slug)
    if not person(request).is_admin:
        raise Http404
    return get_object_or_404(Challenge.objects.select_related("project"), pk=challenge_id, project=project)


def entry_of(challenge: Challenge, entry_id: uuid.UUID) -> Entry:
    """Any entry of a challenge that was ever sent, for an admin who has the challenge; drafts are their authors'."""
    entries = challenge.entries.filter(sent_at__isnull=False).select_related("author", "duplicate_of", "rules")
    return get_object_or_404(entries, pk=entry_id)


def objection_of(challenge: Challenge, objection_id: uuid.UUID) -> Objection:
    return get_object_or_404(challenge.objections, pk=objection_id)


def own_entry(request: HttpRequest, challenge: Challenge, entry_id: uuid.UUID) -> Entry:
    """An entry of this person, in whatever state."""
    return get_object_or_404(challenge.entries, pk=entry_id, author=person(request))


def juror_of(request: HttpRequest, challenge: Challenge) -> Juror:
    """This person as a juror of the challenge, unless they were excused."""
    return get_object_or_404(challenge.jurors, user=person(request), excused_at=None)


def drawn_for(request: HttpRequest, challenge: Challenge, entry_id: uuid.UUID) -> DrawnJuror:
    """An entry that this juror was drawn for, as long as it is judged."""
    judged = challenge.entries.judged()
    drawn = DrawnJuror.objects.filter(juror=juror_of(request, challenge), entry__in=judged)
    return get_object_or_404(drawn.select_related("entry__challenge", "juror"), entry=entry_id)
