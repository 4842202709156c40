"""manage.py mend_dates: replace ranking dates that pages cannot show, so that their project's pages work again."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from labeling.imports.date_repair import DateOutOfRange, mend_dates


class Command(BaseCommand):
    help = (
        "Find rankings dated before 1970 or more than a day ahead, as files could once bring them in, and date them "
        "as their comparison was brought in. The audit log keeps the old dates. Safe to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would be mended")

    def handle(self, **options: Any) -> None:
        dry_run = options["dry_run"]
        num = mend_dates(by=None, dry_run=dry_run, tell=self._tell)
        self.stdout.write(f"{num:,} dates {'would be mended' if dry_run else 'mended'}")

    def _tell(self, one: DateOutOfRange) -> None:
        self.stdout.write(f"ranking {one.ranking}: {one.was} becomes {one.becomes}")
