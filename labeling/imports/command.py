"""The shared part of the two import commands: arguments, progress and the printed report."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError

from labeling.imports.detection import Kind, names_of
from labeling.imports.reader import FileRefused
from labeling.imports.report import ImportReport
from labeling.jobs.terminal_progress import CommandProgress
from labeling.models import Project, User

_REFUSALS_SHOWN = 20


class ImportCommand(BaseCommand):
    """A command that imports one file. Exit status 2 where the file or the arguments are at fault."""

    kind: ClassVar[Kind]
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "file", metavar="FILE", help="a .jsonl, .json, .csv or .tsv file, gzip or not, or a .parquet file"
        )
        parser.add_argument("--format", default="auto", help=f"auto, {', '.join(names_of(self.kind))}")
        parser.add_argument("--project", default="first-steps", metavar="SLUG", help="where it goes (first-steps)")
        parser.add_argument(
            "--on-error",
            default="stop",
            choices=("stop", "skip"),
            help="stop (default): one bad line and nothing is imported; skip: the rest is",
        )
        parser.add_argument("--by", metavar="USERNAME", help="whose name the import carries in the history")
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            metavar="NAME=MEANING",
            help='what a name in the file means, as --column Frage=prompt; "NAME=" passes it over. May be given often',
        )
        parser.add_argument("--limit", type=int, metavar="N", help="take only the first N entries")

    def report_on(self, path: Path, options: dict[str, Any], work: Callable[..., ImportReport], **more: Any) -> None:
        """Run the import and print its report. Raises CommandError."""
        project, by = _project(options["project"]), _user(options["by"])
        try:
            with CommandProgress(sys.stderr, description=path.name) as progress:
                report = work(
                    path,
                    project=project,
                    by=by,
                    format=options["format"],
                    on_error=options["on_error"],
                    limit=options["limit"],
                    columns=_columns(options["column"]),
                    on_progress=lambda fraction, sofar: progress.show(fraction, f"{sofar.imported:,} imported"),
                    **more,
                )
        except FileRefused as error:
            raise CommandError(str(error), returncode=2) from error
        self._tell(path, report)

    def _tell(self, path: Path, report: ImportReport) -> None:
        for refusal in report.refused[:_REFUSALS_SHOWN]:
            self.stderr.write(f"{path.name}:{refusal.line}: {refusal.reason}")
        for name, key in report.unread.items():
            self.stderr.write(
                f'{path.name}: "{name}" was not read ({key.num_entries:,} entries; line {key.line}: {key.example})'
            )
        unseen = report.num_refused - _REFUSALS_SHOWN
        if unseen > 0:
            self.stderr.write(f"… and {unseen:,} more")
        if report.stopped:
            raise CommandError(
                f"{path.name} ({report.format}): {report.num_refused:,} entries cannot be imported, so nothing was; "
                "mend them, or give --on-error skip",
                returncode=2,
            )
        self.stdout.write(
            f"{path.name} ({report.format}): {report.imported:,} imported, {report.repeated:,} already there, "
            f"{report.num_refused:,} refused" + (f", {report.num_empty:,} with none" if report.num_empty else "")
        )


def _columns(given: list[str]) -> dict[str, str]:
    without = [one for one in given if "=" not in one]
    if without:
        raise CommandError(f"--column {without[0]}: must be NAME=MEANING, as Frage=prompt", returncode=2)
    return dict(one.rsplit("=", 1) for one in given)


def _project(slug: str) -> Project:
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:10])
        raise CommandError(f'no project "{slug}"; there are: {known or "none yet"}', returncode=2)
    return project


def _user(username: str | None) -> User | None:
    if username is None:
        return None
    user = User.objects.filter(username__iexact=username).first()
    if user is None:
        raise CommandError(f'no user "{username}"', returncode=2)
    return user
