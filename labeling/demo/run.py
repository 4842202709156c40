"""One run of the demo: the steps in order, a line for each, and the report of how far it came."""

import logging
import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime

from django.conf import settings

from labeling.demo.evaluation import compare_policies, promote_new_policy
from labeling.demo.options import DemoOptions
from labeling.demo.polling import Show, StepFailed
from labeling.demo.preparation import import_human_rankings, import_prompts, prepare
from labeling.demo.report import DemoReport, Step
from labeling.demo.report_page import in_words
from labeling.demo.sampling import begin_next_round, rank, sample
from labeling.demo.state import Loop, Work
from labeling.demo.training import export, fine_tune, optimise, train_reward_model

logger = logging.getLogger(__name__)

Tell = Callable[[Step], None]
Follow = Callable[[str], Show]  # a step's name → how its progress is shown


def steps_of(options: DemoOptions) -> tuple[tuple[str, Work], ...]:
    """The loop, once round. With people's rankings nothing needs to be sampled and ranked first."""
    if options.rankings is not None:
        ranked: tuple[tuple[str, Work], ...] = (("import rankings", import_human_rankings),)
    else:
        ranked = (("sample", sample), ("rank", rank))
    return (
        ("prepare", prepare),
        ("import", import_prompts),
        *ranked,
        ("export", export),
        ("SFT", fine_tune),
        ("reward model", train_reward_model),
        ("PPO", optimise),
        ("compare", compare_policies),
        ("promote", promote_new_policy),
        ("next round", begin_next_round),
    )


def run_loop(options: DemoOptions, *, follow: Follow, tell: Tell) -> DemoReport:
    """Do every step until one fails, and report. Does not raise for what a step could not do."""
    started_at, clock = datetime.now(UTC), time.monotonic()
    loop = Loop(options=options)
    steps: list[Step] = []
    for name, work in steps_of(options):
        loop.show = follow(name)
        steps.append(do_step(name, work, loop))
        tell(steps[-1])
        if not steps[-1].ok:
            break
    return make_report(loop, tuple(steps), started_at=started_at, seconds=time.monotonic() - clock)


def do_step(name: str, work: Work, loop: Loop) -> Step:
    """Do it, and say how long it took and what came of it."""
    clock = time.monotonic()
    summary = error = ""
    try:
        summary = work(loop)
    except StepFailed as failure:
        error = str(failure)
    except KeyboardInterrupt:
        error = "Interrupted."
    except Exception as failure:
        logger.exception("the step %s broke off", name)
        error = f"{type(failure).__name__}: {failure}"
    return Step(name=name, seconds=time.monotonic() - clock, ok=not error, summary=summary, error=error)


def make_report(loop: Loop, steps: tuple[Step, ...], *, started_at: datetime, seconds: float) -> DemoReport:
    """All that is known, however far the run came."""
    rankings = loop.options.rankings
    return DemoReport(
        started_at=started_at.strftime("%Y-%m-%d %H:%M UTC"),
        seconds=seconds,
        judge="people" if rankings else "simulated",
        machine=describe_machine(),
        steps=steps,
        sizes=loop.sizes,
        options=loop.options.sizes,
        rankings_file=rankings.name if rankings else None,
        policy_before=getattr(getattr(loop, "start", None), "name", None),
        policy_after=getattr(getattr(loop, "new_policy", None), "name", None),
        sft=loop.sft,
        reward_model=loop.reward,
        ppo=loop.ppo,
        comparison=loop.comparison,
        samples=loop.samples,
    )


def describe_machine() -> dict[str, str]:
    """What the wall times depend on. The number of cores is the one that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cores": f"{cores} cores", "processor": platform.machine(), "system": platform.system()}


def say_where(report: DemoReport) -> str:
    """The last words at the terminal."""
    var = settings.PARLEY_VAR
    end = "done" if report.ok else "stopped"
    return f"{end} after {in_words(report.seconds)}. Look around in what it made: PARLEY_VAR={var} make run"
