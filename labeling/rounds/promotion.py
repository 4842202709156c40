"""Starting a round, and promoting a policy, which closes the open round and starts the next."""

import random
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.models import AuditEvent, Policy, Project, Round, User, Webhook
from labeling.webhooks.deliveries import announce
from records.manifest import MANIFEST, sha256_of


class RoundError(ValueError):
    """A step of the loop that cannot be taken; the message is for the person who tried."""


def start_round(project: Project, *, policy: Policy | None, by: User | None) -> Round:
    """Open the next round with this policy, or the project's. Raises RoundError where one is open."""
    with transaction.atomic():
        _lock(project)
        if project.rounds.filter(closed_at=None).exists():
            raise RoundError(_("A round is open already. Promote a policy to close it."))
        chosen = policy or project.policy
        if chosen is None:
            raise RoundError(_("Choose a policy first; an admin can do so in the project's settings."))
        return _open_round(project, chosen, by)


def promote(policy: Policy, *, project: Project, by: User | None) -> Round:
    """Make this policy the project's: the open round closes, and the next starts with it.

    Raises RoundError where it is the project's policy already, or where its files have changed since registration.
    """
    with transaction.atomic():
        _lock(project)
        before = project.policy
        if before is not None and before.id == policy.id:
            raise RoundError(_("%(name)s is this project's policy already.") % {"name": policy.name})
        _require_files(policy)
        policy.state, policy.promoted_at, policy.promoted_by = Policy.State.PROMOTED, Now(), by
        policy.save(update_fields=["state", "promoted_at", "promoted_by"])
        project.policy = policy
        project.save(update_fields=["policy"])
        finished = project.rounds.filter(closed_at=None).first()
        project.rounds.filter(closed_at=None).update(closed_at=Now())
        if finished is not None:
            announce(project, Webhook.Event.ROUND_FINISHED, round=finished.number, promoted=policy.name)
        AuditEvent.note(
            "promote policy", policy, by=by, project=project.slug, before=before.name if before is not None else None
        )
        return _open_round(project, policy, by)


def _lock(project: Project) -> None:
    """Lock the project's row and reread its policy: the second of two promotions must see the first one's round."""
    project.refresh_from_db(fields=("policy",), from_queryset=Project.objects.select_for_update(of=("self",)))


def _open_round(project: Project, policy: Policy, by: User | None) -> Round:
    number = (project.rounds.aggregate(last=Max("number"))["last"] or 0) + 1
    opened = Round.objects.create(project=project, number=number, policy=policy, seed=random.getrandbits(31))
    AuditEvent.note("start round", opened, by=by, number=number, policy=policy.name)
    return opened


def _require_files(policy: Policy) -> None:
    if policy.backend != Policy.Backend.LOCAL:
        return
    manifest = Path(settings.PARLEY_STORE) / policy.store_path / MANIFEST
    if not manifest.is_file():
        raise RoundError(_("The files of %(name)s are not in the model store.") % {"name": policy.name})
    if sha256_of(manifest) != policy.manifest_sha256:
        raise RoundError(
            _("The files of %(name)s are not those that were registered. Restore them, or train anew.")
            % {"name": policy.name}
        )
