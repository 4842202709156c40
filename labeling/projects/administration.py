"""Administration of projects: create, change and archive them, publish guidelines, choose members.

Every change leaves an audit event with the earlier values. The views decide who may make it.
"""

from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from labeling.models import AuditEvent, GuidelineVersion, Membership, Project, Round, User


class ProjectError(ValueError):
    """A project that cannot be created or changed; the message is for the person who tried."""


def begin_project(*, name: str, description: str, guidelines: str, by: User) -> Project:
    """A new project with its first guidelines and first round. Raises ProjectError where the name is taken."""
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
    """Set the given fields. A project's first policy is also set on its open round, which could not sample before."""
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
    """Archive a project, which hides it from trainers, or bring it back. Nothing is deleted."""
    project.archived_at = timezone.now() if archived else None
    with transaction.atomic():
        project.save(update_fields=["archived_at"])
        AuditEvent.note("archive project" if archived else "bring project back", project, by=by)


def publish_guidelines(project: Project, *, text: str, by: User) -> GuidelineVersion:
    """A new version of the guidelines; the newest version where the text is the same."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # or two publishing at once would take the same number
        newest = project.guidelines
        if newest is not None and newest.text == text:
            return newest
        number = newest.version + 1 if newest else 1
        version = GuidelineVersion.objects.create(project=project, version=number, text=text, created_by=by)
        AuditEvent.note("publish guidelines", project, by=by, version=number)
    return version


def mark_guidelines_read(project: Project, *, version: int, by: User) -> int:
    """Note that this person has opened a version; returns the newest that they had opened before.

    Without a membership, as an admin, nothing is noted and `version` is returned.
    """
    membership = Membership.objects.filter(project=project, user=by).first()
    if membership is None:
        return version
    before = membership.guidelines_read
    Membership.objects.filter(pk=membership.pk, guidelines_read__lt=version).update(guidelines_read=version)
    return before


def change_members(project: Project, *, add: Iterable[User], remove: Iterable[User], by: User) -> None:
    """Let people come and go; everybody else stays. Whoever is named twice leaves."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # or a change at the same time would be undone
        leaving = {user.pk for user in remove}
        members = User.objects.filter(memberships__project=project).exclude(pk__in=leaving)
        coming = [user for user in add if user.pk not in leaving]
        choose_members(project, members=[*members, *coming], by=by)


def choose_members(project: Project, *, members: Iterable[User], by: User) -> None:
    """Set the project's members to exactly these people. Whoever is removed stays the author of their work."""
    chosen = {user.pk for user in members}
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # or two admins at once would both add the same person
        present = set(project.memberships.values_list("user_id", flat=True))
        project.memberships.filter(user_id__in=present - chosen).delete()
        Membership.objects.bulk_create(Membership(project=project, user_id=pk) for pk in chosen - present)
        if chosen != present:
            came, left = sorted(map(str, chosen - present)), sorted(map(str, present - chosen))
            AuditEvent.note("choose members", project, by=by, came=came, left=left)
