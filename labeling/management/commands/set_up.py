"""`manage.py set_up`: create or update the tables, the first accounts and the first project.

Every step is safe to repeat, so every start and every deployment may call it.
"""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from labeling.accounts.users import ensure_first_accounts
from labeling.projects.first_project import ensure_starting_project


class Command(BaseCommand):
    help = "Create or bring up to date all that the platform needs in its database."
    requires_system_checks: list[str] = []  # noqa: RUF012 (the tables are not there yet)

    def handle(self, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        self._show(ensure_first_accounts())
        ensure_starting_project()

    def _show(self, accounts: list[tuple[str, str]]) -> None:
        """Print the passwords now: they are stored only as hashes, and a later step may fail."""
        if accounts:
            self.stdout.write("parley: the first accounts; their passwords are shown this once:")
        for username, password in accounts:
            self.stdout.write(f"          {username:<12} {password}")
        self.stdout.flush()
