"""Starting a round, and promoting a policy, which closes the open round and starts the next.

People have the last word: a policy that they did not call better than the present one is promoted only with a reason,
which stays with it for good.
"""

import random
from dataclasses import asdict
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.models import AuditEvent, Candidate, Policy, Project, Promotion, Round, User, Webhook
from labeling.rounds.errors import RoundError
from labeling.rounds.verdicts import figures_of, judgements_of
from labeling.sampling.sharing import why_not_open
from labeling.webhooks.deliveries import announce
from records.manifest import MANIFEST, sha256_of


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


def promote(policy: Policy, *, project: Project, by: User | None, reason: str = "") -> Promotion:
    """Make this policy the project's: the open round closes, and the next starts with it.

    Raises RoundError where it is the project's policy already, where its files have changed since registration, and
    where people have not called it better than the present one and no reason is given.
    """
    with transaction.atomic():
        _lock(project)
        before = project.policy
        if before is not None and before.id == policy.id:
            raise RoundError(_("%(name)s is this project's policy already.") % {"name": policy.name})
        if why := why_not_open(project, policy):
            raise RoundError(why)
        _require_files(policy)
        if not reason.strip() and (needed := why_reason(policy, project=project)):
            raise RoundError(needed)
        promotion = Promotion(
            project=project,
            policy=policy,
            before=before,
            is_return=is_return(policy, project=project),
            by=by,
            reason=reason.strip(),
            **_word_fields(peoples_word(policy, project=project)),
        )
        policy.state, policy.promoted_at, policy.promoted_by = Policy.State.PROMOTED, Now(), by
        policy.save(update_fields=["state", "promoted_at", "promoted_by"])
        project.policy = policy
        project.save(update_fields=["policy"])
        finished = project.rounds.filter(closed_at=None).first()
        project.rounds.filter(closed_at=None).update(closed_at=Now())
        if finished is not None:
            announce(project, Webhook.Event.ROUND_FINISHED, round=finished.number, promoted=policy.name)
        AuditEvent.note(
            "promote policy",
            policy,
            by=by,
            project=project.slug,
            before=before.name if before is not None else None,
            verdict=promotion.verdict or None,
            reason=promotion.reason or None,
        )
        promotion.opened = _open_round(project, policy, by)
        promotion.save()
    return promotion


def peoples_word(policy: Policy, *, project: Project) -> Candidate | None:
    """What people said of this policy against the project's present one, in the newest evaluation; None if nothing."""
    if project.policy_id is None:
        return None
    candidacies = Candidate.objects.filter(policy=policy, evaluation__project=project)
    of_present = candidacies.filter(evaluation__baseline=project.policy_id).select_related("evaluation__baseline")
    return of_present.order_by("-evaluation__created_at").first()


def why_reason(policy: Policy, *, project: Project) -> str:
    """Why promoting it needs a reason, as a sentence that asks for one; empty where people's word is enough."""
    word = peoples_word(policy, project=project)
    verdict = word.verdict if word is not None else ""
    if project.policy is None or verdict == Candidate.Verdict.BETTER:
        return ""
    said = {
        Candidate.Verdict.WORSE: _("%(new)s was judged worse than %(old)s."),
        Candidate.Verdict.TOO_CLOSE: _("Between %(new)s and %(old)s no preference beyond chance was found."),
        Candidate.Verdict.OPEN: _("It is not decided yet between %(new)s and %(old)s."),
        "": _("People were not asked about %(new)s and %(old)s."),
    }
    ask = _("Say why it should be promoted all the same; the reason stays with it.")
    return f"{said[verdict] % {'new': policy.name, 'old': project.policy.name}} {ask}"


def is_return(policy: Policy, *, project: Project) -> bool:
    """Whether the project had this policy before."""
    return project.rounds.filter(policy=policy).exists()


def _word_fields(word: Candidate | None) -> dict[str, object]:
    if word is None:
        return {}
    figures = figures_of(judgements_of(word.evaluation, word.policy))
    return {
        "evaluation": word.evaluation,
        "verdict": word.verdict,
        "win_rate": asdict(figures.win_rate) | {"judged_by": figures.judged_by} if figures is not None else None,
    }


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
