"""manage.py erase_person NAME: what their erasure will do, and with --yes the erasure (docs/erasure.md)."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.accounts.users import AccountError
from labeling.models import User
from labeling.retention import audit, people

MOST_SECONDS = 3600.0


class Command(BaseCommand):
    help = "Say what erasing a person who works here will do; with --yes do it. It cannot be undone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the name that they sign in with")
        parser.add_argument("--yes", action="store_true", help="erase them")
        parser.add_argument("--by", metavar="ADMIN", help="the admin who orders it, for the audit")

    def handle(self, **options: Any) -> None:
        person = _person(options["name"])
        for kind in people.plan_of(person):
            self.stdout.write(f"{kind.num:>8,} {kind.label}: {'erased' if kind.is_erased else 'kept without a name'}")
        if not options["yes"]:
            self.stdout.write("Nothing is done yet: add --yes.")
            return
        try:
            made = people.erase_person(person, by=_person(options["by"]) if options["by"] else None)
        except AccountError as error:
            raise CommandError(str(error)) from error
        made.person.refresh_from_db()
        people.go_on(made, until=time.monotonic() + MOST_SECONDS)
        self.stdout.write(f"Erased: {made.person.username}. The sweep looks once more for what may still arrive.")
        if num := audit.num_quoting(made.person):
            self.stdout.write(f"{num} events of the audit quote them: manage.py forget_audit, as the tables' owner.")


def _person(name: str) -> User:
    try:
        return User.objects.get_by_natural_key(name)
    except User.DoesNotExist:
        raise CommandError(f"Nobody here is called {name!r}.") from None
