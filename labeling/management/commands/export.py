"""manage.py export DIR: build an immutable export in this process and copy it to DIR."""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.exports import FilterError, build, exports_folder, request_export
from labeling.exports.filters import DISAGREEMENTS, SPLIT_BY, STATES, TRAINER_KINDS
from labeling.exports.formats import FORMATS, RECORDS
from labeling.jobs.terminal_progress import CommandProgress
from labeling.models import Export, Project
from records import publish_directory, verify_directory

_FILTERS = (
    "rounds", "since", "until", "trainers", "trainer_kinds", "topics", "states", "guideline_versions",
    "agreement_at_least", "disagreements", "split_by",
    "scrubs_personal_data",
)  # fmt: skip


class Command(BaseCommand):
    help = (
        "Write an export: records as JSON Lines, manifest.json with a SHA-256 for every file, and card.md. "
        "The same rows under the same filters give the same bytes."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("directory", metavar="DIR", help="where it goes; must not exist, or be empty")
        parser.add_argument("--project", default="first-steps", metavar="SLUG", help="whose data (first-steps)")
        parser.add_argument("--kind", required=True, choices=Export.Kind.values)
        parser.add_argument(
            "--format",
            default=RECORDS,
            help=f"records (loses nothing), {', '.join(sorted({one.name for one in FORMATS}))}",
        )
        for flag, name, meaning in (
            ("--round", "rounds", "a round's number; may be given again"),
            ("--trainer", "trainers", "a trainer's pseudonym; may be given again"),
            ("--trainer-kind", "trainer_kinds", f"{', '.join(TRAINER_KINDS)}; may be given again"),
            ("--topic", "topics", "may be given again"),
            ("--guideline-version", "guideline_versions", "a version of the guidelines; may be given again"),
            ("--state", "states", "; ".join(f"{kind}: {', '.join(names)}" for kind, names in STATES.items() if names)),
        ):
            parser.add_argument(flag, dest=name, action="append", help=meaning)
        parser.add_argument("--since", metavar="DAY", help="from this day on, as 2026-11-24")
        parser.add_argument("--until", metavar="DAY", help="up to and with this day")
        parser.add_argument("--agreement-at-least", type=int, metavar="PERCENT", help="of a comparison's trainers")
        differing = "where rankings differ: all, the adjudication in their place, or only what trainers agree on (all)"
        parser.add_argument("--disagreements", default="all", choices=DISAGREEMENTS, help=differing)
        parser.add_argument("--split-by", default="prompt", choices=SPLIT_BY, help="what is on one side (prompt)")
        scrubbing = "take personal data out of the texts, as far as found"
        parser.add_argument("--scrub", dest="scrubs_personal_data", action="store_true", help=scrubbing)
        parser.add_argument("--validation-percent", type=int, default=10, help="of the prompts (10)")
        parser.add_argument("--test-percent", type=int, default=10, help="of the prompts (10)")

    def handle(self, **options: Any) -> None:
        target = Path(options["directory"])
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise CommandError(f"{target} is there already and holds something; name a new directory", returncode=2)
        export = _build(options)
        if export.state != Export.State.DONE:
            raise CommandError(export.error or f"the export ended as {export.state}", returncode=2)
        _copy(exports_folder() / str(export.id), target)
        self.stdout.write(f"{target}: {export.num_records:,} {export.kind}, manifest {export.manifest_sha256[:12]}")


def _build(options: dict[str, Any]) -> Export:
    project = Project.objects.filter(slug=options["project"]).first()
    if project is None:
        known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:10])
        raise CommandError(f'no project "{options["project"]}"; there are: {known or "none yet"}', returncode=2)
    filters = {name: options[name] for name in (*_FILTERS, "validation_percent", "test_percent")}
    try:
        export = request_export(
            project, kind=options["kind"], filters=filters, format=options["format"], by=None, notify_worker=False
        )
    except FilterError as error:
        raise CommandError(str(error), returncode=2) from error
    with CommandProgress(sys.stderr, description=f"exporting {export.kind}") as progress:
        build(export.id, on_progress=progress.show)
    export.refresh_from_db()
    return export


def _copy(source: Path, target: Path) -> None:
    """Copy a published directory, whole or not at all. Raises CommandError."""
    manifest = verify_directory(source)
    staging = target.with_name(f".{target.name}.writing")
    try:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        for name in manifest["files"]:
            shutil.copyfile(source / name, staging / name)
        publish_directory(staging, target, **{key: value for key, value in manifest.items() if key != "files"})
    except OSError as error:
        shutil.rmtree(staging, ignore_errors=True)
        raise CommandError(f"{target}: cannot be written: {error.strerror}", returncode=2) from error
