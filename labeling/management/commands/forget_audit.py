"""manage.py forget_audit: old events, and words of erased people, as the owner of the tables (docs/erasure.md)."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.retention import audit


class Command(BaseCommand):
    help = "Delete audit events older than PARLEY_KEEP_DAYS says, and take out words of people who were erased."

    def handle(self, **options: Any) -> None:
        if not audit.is_owner():
            raise CommandError("Only the owner of the tables may: run it with DATABASE_URL of that role.")
        self.stdout.write(f"{audit.forget_words():,} events quote nobody any more.")
        self.stdout.write(f"{audit.forget_old_events():,} old events are deleted.")
