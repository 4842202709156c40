"""manage.py import_rankings FILE: import rankings from a file."""

from pathlib import Path
from typing import Any

from labeling.imports import import_rankings
from labeling.imports.command import ImportCommand


class Command(ImportCommand):
    help = "Import rankings with their prompts and completions. The same file twice adds nothing."
    kind = "rankings"

    def handle(self, **options: Any) -> None:
        self.report_on(Path(options["file"]), options, import_rankings)
