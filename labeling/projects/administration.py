"""Projects as admins set them up: begun, changed, archived, their guidelines and their people.

Every change leaves an audit event that says what was before. Who may do it is decided by the views.
"""

from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from labeling.models import AuditEvent, GuidelineVersion, Membership, Project, Round, User


class ProjectError(ValueError):
    """A project that cannot be made or changed; the text is for the person who tried."""


def begin_project(*, name: str, description: str, guidelines: str, by: User) -> Project:
    """A new project with its first guidelines and its first round. Raises ProjectError on a name that is taken."""
    project = Project(slug=slugify(name)[:60], name=name, description=description, created_by=by)
    try:
        with transaction.atomic():
            project.save()
            GuidelineVersion.objects.create(project=project, version=1, text=guidelines, created_by=by)
            Round.objects.create(project=project, number=1, policy=project.policy)
            AuditEvent.note("begin project", project, by=by, name=name)
    except IntegrityError as error:
        raise ProjectError(_("There is a project of this name already.")) from error
    return project


def change_project(project: Project, *, values: dict[str, Any], by: User) -> None:
    """Set the given fields. A first policy also becomes the open round's, which had none to sample from."""
    before = Project.objects.get(pk=project.pk)
    changes = {name: value for name, value in values.items() if getattr(before, name) != value}
    if not changes:
        return
    for name, value in changes.items():
        setattr(project, name, value)
    with transaction.atomic():
        project.save(update_fields=list(changes))
        if "policy" in changes and before.policy is None:
            project.rounds.filter(closed_at=None, policy=None).update(policy=project.policy)
        noted = {name: [str(getattr(before, name)), str(value)] for name, value in changes.items()}
        AuditEvent.note("change project", project, by=by, changes=noted)


def set_archived(project: Project, *, archived: bool, by: User) -> None:
    """Take a project out of the trainers' sight, or bring it back. Nothing is deleted."""
    project.archived_at = timezone.now() if archived else None
    with transaction.atomic():
        project.save(update_fields=["archived_at"])
        AuditEvent.note("archive project" if archived else "bring project back", project, by=by)


def publish_guidelines(project: Project, *, text: str, by: User) -> GuidelineVersion:
    """A new version of the guidelines; the same text again is the version that is there."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # two who publish at once get two numbers
        newest = project.guidelines
        if newest is not None and newest.text == text:
            return newest
        number = newest.version + 1 if newest else 1
        version = GuidelineVersion.objects.create(project=project, version=number, text=text, created_by=by)
        AuditEvent.note("publish guidelines", project, by=by, version=number)
    return version


def mark_guidelines_read(project: Project, *, version: int, by: User) -> int:
    """Note that this person has opened a version; returns the newest that they had opened before.

    An admin has no membership to note it on.
    """
    membership = Membership.objects.filter(project=project, user=by).first()
    if membership is None:
        return version
    before = membership.guidelines_read
    Membership.objects.filter(pk=membership.pk, guidelines_read__lt=version).update(guidelines_read=version)
    return before


def choose_members(project: Project, *, members: Iterable[User], by: User) -> None:
    """Make exactly these people the project's. Whoever leaves keeps their name on what they did."""
    chosen = {user.pk for user in members}
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        present = set(project.memberships.values_list("user_id", flat=True))
        project.memberships.filter(user_id__in=present - chosen).delete()
        Membership.objects.bulk_create(Membership(project=project, user_id=pk) for pk in chosen - present)
        if chosen != present:
            came, left = sorted(map(str, chosen - present)), sorted(map(str, present - chosen))
            AuditEvent.note("choose members", project, by=by, came=came, left=left)
