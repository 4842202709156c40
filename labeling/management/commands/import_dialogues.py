"""manage.py import_dialogues FILE: import dialogues, demonstrations and prompts from a file."""

import argparse
from pathlib import Path
from typing import Any

from labeling.imports import import_dialogues
from labeling.imports.command import ImportCommand
from labeling.imports.formats import chitchat


class Command(ImportCommand):
    help = (
        "Import dialogues that somebody answered, and prompts that nobody did. The same file twice adds nothing. "
        'FILE may be the word "chitchat" for the data set of the wheel chitchat-dataset.'
    )
    kind = "dialogues"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--into",
            default="dialogues",
            choices=("dialogues", "prompts"),
            help="prompts: keep only the opening of each dialogue, for the pool of prompts",
        )
        parser.add_argument(
            "--turns", type=int, default=1, metavar="N", help="with --into prompts: up to the user's N-th message"
        )

    def handle(self, **options: Any) -> None:
        self.report_on(
            _path(options["file"]),
            options,
            import_dialogues,
            into_prompts=options["into"] == "prompts",
            num_turns=max(1, options["turns"]),
        )


def _path(name: str) -> Path:
    """The file; for "chitchat", the one of the installed wheel, unless a file has that name."""
    path = Path(name)
    installed = chitchat.dataset_path() if name == "chitchat" and not path.exists() else None
    return installed or path
