"""Evaluations of policies in tests: answers as the sample workers deliver them, and trainers with a taste."""

import uuid

from labeling.dialogues.answers import record_completions
from labeling.models import Completion, Evaluation, Lease, Policy, Project, User
from labeling.rankings import assignment
from labeling.rankings.submission import Submission
from labeling.rounds import evaluations
from records import Completion as Sampled
from records import SampleResult
from tests.labeling.factories import make_prompt, make_users


def fill_pool(project: Project, *, num: int = 300) -> None:
    """Prompts of which about a fifth is held out: enough for an evaluation."""
    for number in range(num):
        make_prompt(project=project, content=f"A question about the number {number}?")


def answer_all(evaluation: Evaluation, *, alike: int = 0, most: int | None = None) -> None:
    """Deliver both answers to each prompt, as the sample workers do; the first `alike` are the same of both."""
    for number, pair in enumerate(evaluation.comparisons.order_by("queue_key")[:most]):
        for run in pair.sampling_runs.select_related("policy"):
            run.state, run.attempt = "running", 1
            run.save()
            text = "The same." if number < alike else f"{run.policy.name} says so."
            record_completions(
                SampleResult(
                    run_id=str(run.id),
                    attempt=1,
                    completions=(Sampled(id="0", content=text, finish_reason="stop", num_tokens=4, logprob=-1.0),),
                    seconds=0.1,
                )
            )


def run_evaluation(project: Project, policy: Policy, *, better: str) -> Evaluation:
    """An evaluation in which everybody prefers the answers of the policy named `better`, until it is decided."""
    evaluation = evaluations.begin(project, [policy], by=None, num_prompts=40, share=1.0)
    answer_all(evaluation)
    for trainer in make_users(num=2, project=project):
        work_through(project, trainer, better=better, most=20)
    assert evaluations.decide(project) == 1
    return evaluation


def work_through(project: Project, trainer: User, *, better: str, most: int = 100) -> int:
    for number in range(most):
        lease = assignment.claim(project, by=trainer)
        if isinstance(lease, assignment.Nothing):
            return number
        judge(lease, by=trainer, better=better)
    return most


def claimed(project: Project, trainer: User) -> Lease:
    lease = assignment.claim(project, by=trainer)
    assert isinstance(lease, Lease)
    return lease


def judge(lease: Lease, *, by: User, better: str) -> None:
    """Prefer the answer of the policy named `better`; without one, both tie."""
    completions = Completion.objects.filter(comparison=lease.comparison_id).select_related("policy")
    names = {str(one.id): one.policy.name for one in completions if one.policy}
    tiers = sorted(names, key=lambda one: names[one] != better)
    submit(lease, Submission(tiers=tuple((one,) for one in tiers) if better else (tuple(tiers),)), by=by)


def submit(lease: Lease, submission: Submission, *, by: User) -> None:
    outcome = assignment.submit(lease, submission, key=uuid.uuid4(), by=by)
    assert outcome.ranking is not None
