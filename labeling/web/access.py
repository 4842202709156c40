"""Access to rows: functions that fetch one and authorise in one step. Models have theirs in labeling.web.permissions.

A missing row and a row that this person may not see both give 404, so that ids reveal nothing. Who may open a view at
all, the decorators of labeling.web.permissions.guards say; views have them from here.
"""

import uuid
from typing import TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import F, Model, Q, QuerySet
from django.db.models.functions import Now
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from labeling.models import (
    Adjudication,
    ApiToken,
    Comment,
    Comparison,
    Completion,
    Dialogue,
    Evaluation,
    Export,
    Import,
    Lease,
    Message,
    PracticeRanking,
    Project,
    Prompt,
    Ranking,
    Reference,
    SamplingRun,
    Snippet,
    Thumb,
    TrainingJob,
    User,
    Webhook,
    Withdrawal,
)
from labeling.web.permissions.guards import (
    ENGINEERS,
    FIGURE_READERS,
    MEMBERS,
    RANKERS,
    REVIEWERS,
    TRACERS,
    WATCHERS,
    WRITERS,
    anyone_signed_in,
    person,
    public,
    role_required,
    signed_in,
    visitor_required,
)

__all__ = [  # what views have from labeling.web.permissions.guards by this name
    "ENGINEERS",
    "FIGURE_READERS",
    "MEMBERS",
    "RANKERS",
    "REVIEWERS",
    "TRACERS",
    "WATCHERS",
    "WRITERS",
    "anyone_signed_in",
    "person",
    "public",
    "role_required",
    "signed_in",
    "visitor_required",
]

Row = TypeVar("Row", bound=Model)


def own_token(request: HttpRequest, token_id: uuid.UUID) -> ApiToken:
    """An API token of this person."""
    return get_object_or_404(ApiToken, id=token_id, owner=person(request))


def own_snippet(request: HttpRequest, snippet_id: uuid.UUID, *, is_deleted: bool = False) -> Snippet:
    """A snippet of this person; with `is_deleted` also one that they deleted."""
    owner = person(request)
    mine = Snippet.objects.filter(owner=owner) if is_deleted else Snippet.objects.kept_by(owner)
    return get_object_or_404(mine, id=snippet_id)


def project_for(request: HttpRequest, slug: str) -> Project:
    """A project that this person is a member of; any project for an admin."""
    return get_object_or_404(Project.objects.visible_to(person(request)).select_related("policy"), slug=slug)


def project_at_work(request: HttpRequest, slug: str) -> Project:
    """A project as `project_for` finds it, for views that start new work; 403 with the reason if it takes none."""
    return require_at_work(project_for(request, slug))


def require_at_work(project: Project) -> Project:
    """The project, if new work may be started in it, else 403. Not for finishing work that is already started."""
    if reason := project.why_no_new_work:
        raise PermissionDenied(reason)
    return project


def own_dialogue(request: HttpRequest, dialogue_id: uuid.UUID, *, slug: str) -> Dialogue:
    """A dialogue of which this person is the author, in a project that they are still a member of."""
    dialogues = _visible(Dialogue.objects.select_related("project__policy", "prompt"), person(request))
    found = get_object_or_404(
        dialogues.exclude(state=Dialogue.State.WITHDRAWN),
        id=dialogue_id,
        author=person(request),
        project__slug=slug,
    )
    assert isinstance(found, Dialogue)
    return found


def own_withdrawn_dialogue(request: HttpRequest, dialogue_id: uuid.UUID, *, slug: str) -> Dialogue:
    """A dialogue of this person that is withdrawn, in a project that they are still a member of."""
    withdrawn = Dialogue.objects.filter(project=project_for(request, slug), state=Dialogue.State.WITHDRAWN)
    return get_object_or_404(withdrawn.select_related("project"), id=dialogue_id, author=person(request))


def message_of(dialogue: Dialogue, message_id: uuid.UUID) -> Message:
    """A message of a dialogue that this person may change."""
    message = get_object_or_404(dialogue.messages.select_related("completion"), id=message_id)
    message.dialogue = dialogue
    return message


def comment_of(dialogue: Dialogue, comment_id: uuid.UUID) -> Comment:
    """A comment on a message of a dialogue that this person may read; what they may do with it is checked later."""
    comment = get_object_or_404(dialogue.comments, id=comment_id)
    comment.dialogue = dialogue
    return comment


def suggestion_for(dialogue: Dialogue, completion_id: uuid.UUID) -> Completion:
    """A completion that was sampled for this dialogue."""
    completions = Completion.objects.select_related("run__project", "run__dialogue")
    return get_object_or_404(completions, id=completion_id, run__dialogue=dialogue)


def prompt_of(project: Project, prompt_id: uuid.UUID) -> Prompt:
    """A prompt in this project's pool."""
    return get_object_or_404(Prompt, id=prompt_id, project=project)


def thumb_of(project: Project, thumb_id: uuid.UUID) -> Thumb:
    return get_object_or_404(Thumb, id=thumb_id, project=project)


def readable_dialogue(request: HttpRequest, dialogue_id: uuid.UUID, *, slug: str) -> Dialogue:
    """One's own dialogue; for reviewers and admins also any that is no draft. Withdrawn ones are nobody's."""
    reader = person(request)
    dialogues = _visible(Dialogue.objects.select_related("project__policy", "author", "prompt"), reader)
    found = get_object_or_404(dialogues.filter(_readable(reader)), id=dialogue_id, project__slug=slug)
    assert isinstance(found, Dialogue)
    return found


def dialogues_for(request: HttpRequest, project: Project) -> QuerySet[Dialogue]:
    """The dialogues that `readable_dialogue` opens, and for those who may export also the accepted ones."""
    reader = person(request)
    exported = Q(state=Dialogue.State.ACCEPTED) if reader.can_train_models else Q()
    return Dialogue.objects.filter(_readable(reader) | exported, project=project)


def rankings_for(request: HttpRequest, project: Project) -> QuerySet[Ranking]:
    """One's own rankings; for those who may export, all rankings of work. Never retracted ones."""
    reader = person(request)
    rankings = Ranking.objects.filter(comparison__project=project, retracted_at=None)
    if reader.can_train_models:
        return rankings.filter(comparison__use=Comparison.Use.WORK)
    return rankings.filter(trainer=reader)


def own_ranking(request: HttpRequest, ranking_id: uuid.UUID, *, slug: str) -> Ranking:
    """A ranking that this person made, in force or not, in a project that they are still a member of."""
    rankings = Ranking.objects.filter(trainer=person(request), comparison__project=project_for(request, slug))
    related = rankings.select_related(
        "comparison__project", "lease__comparison__project", "trainer", "guideline_version"
    )
    return get_object_or_404(related.prefetch_related("ratings"), id=ranking_id)


def traced_ranking(request: HttpRequest, ranking_id: uuid.UUID, *, slug: str) -> Ranking:
    """One's own ranking, in force or not; for those who review or train models, any of a project of theirs."""
    reader = person(request)
    mine = Q() if reader.role in TRACERS else Q(trainer=reader)
    rankings = Ranking.objects.filter(mine, comparison__project=project_for(request, slug))
    return get_object_or_404(rankings.select_related("comparison__project", "lease"), id=ranking_id)


def traced_dialogue(request: HttpRequest, dialogue_id: uuid.UUID, *, slug: str) -> Dialogue:
    """One's own dialogue, withdrawn or not; for those who review or train models, any that is no draft."""
    reader = person(request)
    others = ~Q(state=Dialogue.State.DRAFT) if reader.role in TRACERS else Q(author=reader)
    dialogues = Dialogue.objects.filter(others | Q(author=reader), project=project_for(request, slug))
    return get_object_or_404(dialogues.select_related("project"), id=dialogue_id)


def withdrawal_for(request: HttpRequest, withdrawal_id: uuid.UUID, *, slug: str) -> Withdrawal:
    """A withdrawal in a project, for an admin."""
    if not person(request).is_admin:
        raise Http404
    withdrawals = Withdrawal.objects.select_related("project", "person", "by", "undone_by")
    return get_object_or_404(withdrawals, id=withdrawal_id, project__slug=slug)


def own_lease(request: HttpRequest, lease_id: uuid.UUID, *, slug: str) -> Lease:
    """A lease that this person holds or held, in a project that they are still a member of, with its `time_left`."""
    leases = Lease.objects.select_related("comparison__project__policy").filter(comparison__project__slug=slug)
    # By the database's clock, which set its end: that of this machine may be an hour off.
    leases = leases.annotate(time_left=F("expires_at") - Now())
    visible = Q() if person(request).is_admin else Q(comparison__project__memberships__user=person(request))
    return get_object_or_404(leases.filter(visible), id=lease_id, trainer=person(request))


def completion_of(lease: Lease, completion_id: uuid.UUID) -> Completion:
    """A completion of the comparison that this lease is on."""
    return get_object_or_404(Completion, id=completion_id, comparison=lease.comparison_id)


def practice_of(project: Project, comparison_id: uuid.UUID) -> Comparison:
    """A comparison of this project's practice set."""
    return get_object_or_404(project.comparisons.practice_set(), id=comparison_id)


def own_practice(request: HttpRequest, ranking_id: uuid.UUID, *, slug: str) -> PracticeRanking:
    """A practice ranking that this person made, in a project that they are still a member of."""
    project = project_for(request, slug)
    rankings = PracticeRanking.objects.select_related("comparison__reference")
    return get_object_or_404(rankings, id=ranking_id, trainer=person(request), comparison__project=project)


def candidate_of(project: Project, comparison_id: uuid.UUID) -> Comparison:
    """A comparison that may be given a reference ranking."""
    return get_object_or_404(project.comparisons.reference_candidates(), id=comparison_id)


def reference_of(project: Project, comparison_id: uuid.UUID) -> Reference:
    """A practice or gold item of this project, retired or not."""
    return get_object_or_404(Reference.objects.of(project), comparison_id=comparison_id)


def disputed_of(project: Project, comparison_id: uuid.UUID) -> Comparison:
    """A comparison of this project that at least two have ranked, or that was adjudicated."""
    settled = Q(distance__isnull=False) | Q(adjudications__isnull=False)
    found = project.comparisons.filter(settled, use=Comparison.Use.WORK).select_related("round").distinct()
    return get_object_or_404(found, id=comparison_id)


def adjudication_of(project: Project, adjudication_id: uuid.UUID) -> Adjudication:
    """An adjudication of this project, in whoever's hands."""
    rows = Adjudication.objects.of(project).select_related("comparison__project", "reviewer", "sent_by")
    return get_object_or_404(rows, id=adjudication_id)


def own_run(request: HttpRequest, run_id: uuid.UUID) -> SamplingRun:
    """A sampling run that this person requested."""
    runs = _visible(SamplingRun.objects.select_related("project", "dialogue"), person(request))
    return get_object_or_404(runs, id=run_id, requested_by=person(request))


def export_for(request: HttpRequest, export_id: uuid.UUID, *, slug: str) -> Export:
    """An export of a project that this engineer is a member of; of any project for an admin."""
    exports = _for_engineers(Export.objects.select_related("project", "requested_by"), request)
    return get_object_or_404(exports, id=export_id, project__slug=slug)


def import_for(request: HttpRequest, import_id: uuid.UUID, *, slug: str) -> Import:
    """An import into a project that this engineer is a member of; into any project for an admin."""
    imports = _for_engineers(Import.objects.select_related("project", "requested_by"), request)
    return get_object_or_404(imports, id=import_id, project__slug=slug)


def training_job_for(request: HttpRequest, job_id: uuid.UUID, *, slug: str) -> TrainingJob:
    """A training job of a project that this engineer is a member of; of any project for an admin."""
    jobs = TrainingJob.objects.select_related("project", "export", "policy", "reward_model", "requested_by", "round")
    return get_object_or_404(_for_engineers(jobs, request), id=job_id, project__slug=slug)


def evaluation_for(request: HttpRequest, evaluation_id: uuid.UUID, *, slug: str) -> Evaluation:
    """An evaluation of a project that this engineer is a member of; of any project for an admin."""
    evaluations = Evaluation.objects.select_related("project", "baseline", "created_by")
    return get_object_or_404(_for_engineers(evaluations, request), id=evaluation_id, project__slug=slug)


def webhook_for(request: HttpRequest, webhook_id: uuid.UUID, *, slug: str) -> Webhook:
    """A webhook of a project that this engineer is a member of; of any project for an admin."""
    return get_object_or_404(_for_engineers(Webhook.objects.all(), request), id=webhook_id, project__slug=slug)


def _readable(reader: User) -> Q:
    mine = Q(author=reader)
    allowed = mine | ~Q(state=Dialogue.State.DRAFT) if reader.can_review else mine
    return allowed & ~Q(state=Dialogue.State.WITHDRAWN)


def _visible(rows: QuerySet[Row], reader: User) -> QuerySet[Row]:
    return rows if reader.is_admin else rows.filter(project__memberships__user=reader)


def _for_engineers(rows: QuerySet[Row], request: HttpRequest) -> QuerySet[Row]:
    if not person(request).can_train_models:
        raise Http404
    return _visible(rows, person(request))
