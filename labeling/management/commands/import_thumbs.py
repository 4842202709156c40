"""manage.py import_thumbs FILE: import thumbs, each a verdict on one answer, from a file."""

from pathlib import Path
from typing import Any

from labeling.imports import import_thumbs
from labeling.imports.command import ImportCommand


class Command(ImportCommand):
    help = "Import thumbs with the answers that they judge, for KTO. The same file twice adds nothing."
    kind = "thumbs"

    def handle(self, **options: Any) -> None:
        self.report_on(Path(options["file"]), options, import_thumbs)
