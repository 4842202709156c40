"""Probe runs whose answers are there, for tests."""

from collections.abc import Callable, Sequence

from labeling.evaluations import probe_labels, probe_runs
from labeling.evaluations.probe_sets import SetName
from labeling.evaluations.sealing import sealed_bundled_set
from labeling.models import Completion, Policy, ProbeAnswer, ProbeRun, Project, SamplingRun, User


def start(project: Project, policy: Policy, *, by: User, name: SetName = "guessing", num_groups: int = 3) -> ProbeRun:
    """A run of the first groups of one set."""
    version = sealed_bundled_set(name)
    groups = sorted(set(version.texts.values_list("group", flat=True)))[:num_groups]
    (run,) = probe_runs.start(project, policy, [name], by=by, keys=groups)
    return run


def answer_all(run: ProbeRun, say: Callable[[ProbeAnswer], str]) -> list[ProbeAnswer]:
    """Store what `say` says of each as a worker's result would be, and take it in."""
    for answer in run.answers.select_related("text", "sampling_run"):
        Completion.objects.create(run=answer.sampling_run, policy=run.policy, content=say(answer), finish_reason="stop")
    SamplingRun.objects.filter(probe_answer__run=run).update(state=SamplingRun.State.DONE)
    probe_runs.take_in(run.project)
    return list(run.answers.select_related("text").order_by("text__key", "number"))


def label_all(project: Project, people: Sequence[User], say: Callable[[ProbeAnswer], str]) -> int:
    """Everyone labels what they are given until nothing waits; returns how many labels that were."""
    num = 0
    for person in people:
        while (held := probe_labels.claim(project, by=person)) is not None:
            probe_labels.put(held, say(held.answer), by=person)
            num += 1
    return num
