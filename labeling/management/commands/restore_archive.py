"""manage.py restore_archive DIR: the embedded database again, from an archive, to its last moment."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from labeling import environment
from labeling.operations.backups.archive import restore_archive
from labeling.operations.backups.programs import BackupError


class Command(BaseCommand):
    help = "Make the embedded database from the archive that `manage.py archive` keeps."
    requires_system_checks: list[str] = []  # noqa: RUF012 (there is no database to check)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", metavar="DIR", type=Path, help="the folder that `manage.py archive` wrote to")

    def handle(self, *, directory: Path, **options: Any) -> None:
        if environment.text("DATABASE_URL"):
            raise CommandError("DATABASE_URL names a server of your own; docs/operating.md says how to restore it.")
        try:
            cluster = restore_archive(directory.absolute(), settings.PARLEY_VAR)
        except BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{cluster} is restored; the next start replays the log.")
