"""manage.py sweep: run the periodic sweep by hand, once or until the command is stopped."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import close_old_connections

from labeling.periodic import sweep


class Command(BaseCommand):
    help = "Expire leases, send lost sampling again, keep comparisons ready."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--every", type=float, metavar="SECONDS", help="sweep again after so many seconds")

    def handle(self, **options: Any) -> None:
        every = options["every"]
        while True:
            for name, num in sweep().items():
                self.stdout.write(f"{name}: {num}")
            if every is None:
                return
            close_old_connections()
            time.sleep(every)
