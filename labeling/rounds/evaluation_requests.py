"""Policy evaluations from the rounds page: requested here, and read back from the audit event of the request."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from labeling.exports.filters import Filters, read_filters
from labeling.exports.splits import split_of
from labeling.models import AuditEvent, Policy, Project, Prompt, SamplingRun, User
from labeling.rounds.errors import RoundError
from labeling.rounds.policy_evaluation import (
    Answers,
    ComparisonFigures,
    PolicyEvaluation,
    answers_of,
    compare,
    request_answers,
)
from labeling.sampling.runs import default_sampling
from labeling.sampling.sharing import why_not_open
from records import Message, decode

NUM_PROMPTS = 40
_LOOKED_AT = 5_000  # prompts of the pool whose split is computed for one request


@dataclass(frozen=True, kw_only=True)
class EvaluationStatus:
    """An evaluation as it stands: how many prompts are answered, and the figures so far."""

    evaluation: PolicyEvaluation
    num_asked: int
    num_answered: int
    figures: ComparisonFigures | None
    answers: list[Answers]
    is_under_way: bool


def begin_evaluation(
    project: Project, policy: Policy, *, by: User | None, num_prompts: int = NUM_PROMPTS
) -> PolicyEvaluation:
    """Request answers of this policy and the project's to held-out prompts. Raises RoundError."""
    if reason := project.why_no_new_work:
        raise RoundError(reason)
    if project.policy is None or project.policy_id == policy.id:
        raise RoundError(_("There is no other policy to compare with."))
    if why := why_not_open(project, policy):
        raise RoundError(why)
    prompts = held_out_prompts(project, policy, num=num_prompts)
    if not prompts:
        raise RoundError(_("No prompt of the pool is held out; bring more prompts in first."))
    return request_answers(
        project,
        old=project.policy,
        new=policy,
        prompts=prompts,
        num_completions=1,
        params=default_sampling(project, seed=0),
        by=by,
    )


def held_out_prompts(project: Project, policy: Policy, *, num: int) -> list[tuple[Message, ...]]:
    """Prompts of the pool that the policy was not trained on: its export's test split, then its validation split."""
    return [messages_of(prompt) for prompt in held_out_of_all(project, [policy], num=num)]


def held_out_of_all(project: Project, policies: Sequence[Policy], *, num: int) -> list[Prompt]:
    """Prompts of the pool that none of the policies was trained on, those in the test split of all of them first."""
    filters = [_filters_of(policy) for policy in policies]
    tested: list[Prompt] = []
    validated: list[Prompt] = []
    for prompt in Prompt.objects.in_use().filter(project=project).order_by("content_sha256")[:_LOOKED_AT]:
        messages = messages_of(prompt)
        splits = {
            split_of(messages, validation_percent=one.validation_percent, test_percent=one.test_percent)
            for one in filters
        }
        if "train" not in splits:
            (tested if splits == {"test"} else validated).append(prompt)
    return [*tested, *validated][:num]


def messages_of(prompt: Prompt) -> tuple[Message, ...]:
    return tuple(decode(Message, value) for value in prompt.messages)


def newest_evaluation(project: Project, policy: Policy) -> EvaluationStatus | None:
    """The newest evaluation in which this policy was the new one; None where there is none."""
    events = AuditEvent.objects.filter(project=project, verb="compare policies", detail__new=policy.name)
    event = events.filter(detail__has_key="runs").first()
    old = Policy.objects.filter(name=event.detail["old"]).first() if event is not None else None
    if event is None or old is None:
        return None
    runs = tuple((UUID(before), UUID(after)) for before, after in event.detail["runs"])
    return _status(PolicyEvaluation(old=old, new=policy, runs=runs))


def _status(evaluation: PolicyEvaluation) -> EvaluationStatus:
    answers = answers_of(evaluation)
    alive = SamplingRun.objects.filter(id__in=evaluation.run_ids, state__in=("waiting", "sent", "running"))
    return EvaluationStatus(
        evaluation=evaluation,
        num_asked=len(evaluation.runs),
        num_answered=len(answers),
        figures=compare(answers) if answers else None,
        answers=answers,
        is_under_way=alive.exists(),
    )


def _filters_of(policy: Policy) -> Filters:
    job = policy.training_job
    if job is None or job.export is None:
        return Filters()
    return read_filters(job.export.kind, job.export.filters)
