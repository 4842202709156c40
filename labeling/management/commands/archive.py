"""manage.py archive DIR: keep a continuous archive of the database until it is told to stop."""

import signal
import threading
from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.operations.backups.archive import keep_archive
from labeling.operations.backups.programs import BackupError


class Command(BaseCommand):
    help = "Archive the database's log as it is written, with a base backup a day. A service: it runs until stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", metavar="DIR", type=Path, help="on another disk than the database's")
        parser.add_argument("--base-every", type=float, default=24.0, metavar="HOURS", help="between base backups (24)")
        parser.add_argument("--keep", type=int, default=2, metavar="NUM", help="base backups to keep (2)")

    def handle(self, *, directory: Path, base_every: float, keep: int, **options: Any) -> None:
        if keep < 1 or base_every <= 0:
            raise CommandError("--keep must be at least 1, and --base-every more than 0.")
        over = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: over.set())
        try:
            keep_archive(
                directory.absolute(),
                base_every=timedelta(hours=base_every),
                kept=keep,
                is_over=over.is_set,
                say=self._say,
            )
        except BackupError as error:
            raise CommandError(str(error)) from error

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
