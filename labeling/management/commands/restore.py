"""manage.py restore BACKUP: the database and the model store as `manage.py backup` found them."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from labeling.operations.backups.programs import BackupError
from labeling.operations.backups.restoration import restore


class Command(BaseCommand):
    help = "Restore a backup into the database and the model store of the settings."
    requires_system_checks: list[str] = []  # noqa: RUF012 (the tables may not be there)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("backup", type=Path, help="a folder that `manage.py backup` made")
        parser.add_argument("--replace", action="store_true", help="lose what the database holds now")

    def handle(self, *, backup: Path, replace: bool, **options: Any) -> None:
        try:
            found = restore(backup.absolute(), replace=replace)
        except BackupError as error:
            raise CommandError(str(error)) from error
        call_command("migrate", interactive=False, verbosity=0)  # it may be of an older version
        self.stdout.write(f"as of {found.made_at}: {found.num_rankings} rankings, {found.num_folders} folders put back")
        self.stdout.write("Everybody has to sign in again.")
        if found.num_tokens:
            self.stdout.write(f"{found.num_tokens} tokens of the API are valid; revoke those that should not be.")
        for place in found.missing:
            self.stderr.write(f"not in the store, and not in the backup either: {place}")
