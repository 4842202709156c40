"""`manage.py set_up`: create or update the tables, the first accounts and the first project.

Every step is safe to repeat, so every start and every deployment may call it.
"""

from typing import Any

from django.core.management.base import BaseCommand

from labeling.accounts.users import ensure_first_accounts
from labeling.operations.migration import migrate_while_serving
from labeling.projects.first_project import ensure_starting_project


class Command(BaseCommand):
    help = "Create or bring up to date all that the platform needs in its database."
    requires_system_checks: list[str] = []  # noqa: RUF012 (the tables are not there yet)

    def handle(self, **options: Any) -> None:
        migrate_while_serving(self.stderr.write)
        self._show(ensure_first_accounts())
        ensure_starting_project()

    def _show(self, accounts: list[tuple[str, str]]) -> None:
        """Print the passwords now: they are stored only as hashes, and a later step may fail."""
        if accounts:
            self.stdout.write("parley: the first accounts; their passwords are shown this once:")
        for username, password in accounts:
            self.stdout.write(f"          {username:<12} {password}")
        self.stdout.flush()
