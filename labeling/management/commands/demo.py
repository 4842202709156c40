"""manage.py demo: one round of the loop, unattended, in a folder of its own; ends with a report."""

import os
import signal
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling import embedded
from labeling.demo import workspace
from labeling.demo.options import DemoOptions, options
from labeling.demo.polling import Show, StepFailed
from labeling.demo.report import Step
from labeling.demo.report_page import format_duration, write_report
from labeling.demo.run import closing_line, run_loop
from labeling.demo.workers import running_workers
from labeling.imports import FileRefused, preview
from labeling.jobs.terminal_progress import CommandProgress


class Command(BaseCommand):
    help = (
        "The whole loop once round, unattended: import, sample, rank (by a simulated trainer, or from a file of "
        "people's rankings), export, SFT, reward model, PPO, compare, promote, begin round two. Writes report.html "
        "and report.json into the folder demo of var; exit status 0 only if every step did its work."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012 (the tables are not there yet)

    def add_arguments(self, parser: ArgumentParser) -> None:
        for option in options():
            if option.is_number:
                words = f"{option.help} ({option.default})"
                parser.add_argument(option.flag, type=int, default=option.default, metavar="N", help=words)
            else:
                parser.add_argument(option.flag, type=Path, metavar="PATH", help=option.help)

    def handle(self, **values: Any) -> None:
        chosen = _read_options(values)
        if not workspace.is_entered():
            _enter()
        self._follower = _Follower()
        signal.signal(
            signal.SIGTERM, signal.default_int_handler
        )  # SIGTERM is handled as Ctrl-C: either still writes the report
        try:
            with workspace.exclusive_lock():
                workspace.reset()
                self._say(", ".join(f"{name} {num}" for name, num in chosen.sizes.items()))
                with running_workers():
                    report = run_loop(chosen, follow=self._follower.begin, tell=self._tell)
                page = write_report(workspace.demo_folder(), report)
        except (StepFailed, embedded.EngineError) as error:
            raise CommandError(str(error), returncode=2) from error
        except KeyboardInterrupt:
            raise CommandError("interrupted before the first step", returncode=130) from None
        self._say(closing_line(report))
        self._say(f"report: {page}")
        if not report.ok:
            failed = next(step for step in report.steps if not step.ok)
            raise CommandError(f"demo: {failed.name}: {failed.error}", returncode=1)

    def _tell(self, step: Step) -> None:
        self._follower.end()
        self._say(f"{step.name:<16} {format_duration(step.seconds):>12}   {step.summary if step.ok else 'FAILED'}")

    def _say(self, line: str) -> None:
        self.stdout.write(f"parley: {line}")
        self.stdout.flush()


class _Follower:
    """Shows the progress of one step after another; a line that equals the last one is not repeated."""

    def __init__(self) -> None:
        self._progress: CommandProgress | None = None

    def begin(self, name: str) -> Show:
        progress = self._progress = CommandProgress(sys.stderr, description=name)
        said: list[tuple[float, str]] = []

        def show(fraction: float, note: str) -> None:
            if (fraction, note) not in said[-1:]:
                said.append((fraction, note))
                progress.show(fraction, note)

        return show

    def end(self) -> None:
        if self._progress is not None:
            self._progress.__exit__(None, None, None)


def _read_options(values: dict[str, Any]) -> DemoOptions:
    """The options, refused before anything is started or emptied. Raises CommandError."""
    chosen = DemoOptions(**{option.name: values[option.name] for option in options()})
    for option in options():
        least = 0 if option.name in ("seed", "conversations") else 1
        if option.is_number and values[option.name] < least:
            raise CommandError(f"{option.flag} must be at least {least}.", returncode=2)
    if not 2 <= chosen.completions <= 9:
        raise CommandError("--completions must lie between 2 and 9.", returncode=2)
    if chosen.policy is not None and not (chosen.policy / "config.json").is_file():
        raise CommandError(f"{chosen.policy} holds no model: there is no config.json in it.", returncode=2)
    if chosen.rankings is not None:
        try:
            found = preview(chosen.rankings, kind="rankings", num=1)
        except FileRefused as error:
            raise CommandError(str(error), returncode=2) from error
        if not found.records:
            why = f"line {found.refused[0].line}: {found.refused[0].reason}" if found.refused else "it holds none"
            raise CommandError(f"{chosen.rankings.name}: no ranking can be read; {why}", returncode=2)
    return chosen


def _enter() -> None:
    """Restart this command as a process of the demo's folder: Django reads its settings only once per process."""
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | workspace.environment_of_demo())  # noqa: S606 (ourselves)
