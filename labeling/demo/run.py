"""One run of the demo: the steps in order, and the report of how far it came."""

import logging
import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime

from django.conf import settings

from labeling.demo.evaluation import compare_policies, decide_between_policies, promote_new_policy
from labeling.demo.options import DemoOptions
from labeling.demo.polling import Show, StepFailed
from labeling.demo.preparation import import_human_rankings, import_prompts, prepare
from labeling.demo.report import DemoReport, Step
from labeling.demo.report_page import format_duration
from labeling.demo.sampling import begin_next_round, rank, sample
from labeling.demo.state import Loop, Work
from labeling.demo.training import export, fine_tune, optimise, train_reward_model

logger = logging.getLogger(__name__)

Tell = Callable[[Step], None]
Follow = Callable[[str], Show]  # a step's name → the function that shows its progress


def steps_of(options: DemoOptions) -> tuple[tuple[str, Work], ...]:
    """The steps of one round. With people's rankings, nothing is sampled or ranked."""
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
        ("decide", decide_between_policies),
        ("promote", promote_new_policy),
        ("next round", begin_next_round),
    )


def run_loop(options: DemoOptions, *, follow: Follow, tell: Tell) -> DemoReport:
    """Do the steps until one fails, and report. A step's failure is reported, not raised."""
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
    """Do one step; the result has its duration and its summary or error."""
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
    """The report of what is known, however far the run came."""
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
    """What the durations depend on. Counts only the cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cores": f"{cores} cores", "processor": platform.machine(), "system": platform.system()}


def closing_line(report: DemoReport) -> str:
    """The last line at the terminal: how long it took and how to open the demo's platform."""
    var = settings.PARLEY_VAR
    end = "done" if report.ok else "stopped"
    return f"{end} after {format_duration(report.seconds)}. Look around in what it made: PARLEY_VAR={var} make run"
