"""manage.py backup DIR: a copy of the database and of what the model store holds, as of one moment."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.operations.backups.dump import back_up
from labeling.operations.backups.programs import BackupError


class Command(BaseCommand):
    help = "Back up the database and the model store, as of one moment, while everybody works on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", metavar="DIR", type=Path, help="the backup is a new folder in it")

    def handle(self, *, directory: Path, **options: Any) -> None:
        try:
            made = back_up(directory.absolute())
        except BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{made.folder}: {made.num_rankings} rankings, {made.num_bytes / 1e6:.1f} MB")
        for place in made.missing:
            self.stderr.write(f"not in the store, so not in the backup: {place}")
