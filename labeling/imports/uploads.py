"""Imports from the browser: a file is uploaded, previewed, confirmed by a person, and imported by a worker.

The Import row is the job, as for exports. An interrupted import starts from the beginning and adds nothing twice.
"""

import logging
import shutil
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, cast

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.imports.detection import Kind, columns_of
from labeling.imports.importer import Preview, import_dialogues, import_rankings, import_thumbs, preview
from labeling.imports.reader import FileRefused
from labeling.imports.report import ImportReport
from labeling.jobs import dispatch, leases
from labeling.models import AuditEvent, Import, Project, User
from records.names import TAKE_IN

logger = logging.getLogger(__name__)

KEPT_UNCONFIRMED = timedelta(days=7)  # then an unconfirmed file is deleted
State = Import.State
_RENEW_SECONDS = 2.0  # between renewals of the lease
_ENDINGS = (
    ".jsonl.gz", ".json.gz", ".csv.gz", ".tsv.gz", ".jsonl", ".json", ".csv", ".tsv", ".parquet", ".gz",
)  # fmt: skip


class UploadError(ValueError):
    """An upload that is refused; the message is for the person who sent it."""


def bring(
    project: Project,
    *,
    name: str,
    content: Iterable[bytes],
    kind: Kind,
    by: User | None,
    into_prompts: bool = False,
) -> Import:
    """Store the file and read its first records; nothing is imported until `confirm`. Raises UploadError."""
    upload = Import(project=project, kind=kind, into_prompts=into_prompts, file_name=_plain_name(name), requested_by=by)
    upload.store_path = f"imports/{upload.id}/file{_ending(name)}"
    path = path_of(upload)
    try:
        upload.num_bytes = _write(path, content)
        upload.format = _format_of(path, kind)
    except FileRefused as error:
        _delete_file(upload)
        raise UploadError(str(error).replace(path.name, upload.file_name)) from error
    except UploadError:
        _delete_file(upload)
        raise
    with transaction.atomic():
        upload.save()
        AuditEvent.note("bring file", upload, by=by, file=upload.file_name, num_bytes=upload.num_bytes)
    return upload


def look_at(upload: Import) -> Preview:
    """The first records of the file as Parley reads them. Raises FileRefused."""
    return preview(
        path_of(upload), kind=cast(Kind, upload.kind), format=upload.format or "auto", columns=upload.columns
    )


def read_differently(upload: Import, *, format: str, columns: Mapping[str, str], by: User | None) -> bool:
    """Take the file for another format, or its names for other ones. False where it no longer waits for a word."""
    with transaction.atomic():
        waiting = Import.objects.filter(id=upload.id, state=State.PREVIEWED)
        changed = waiting.update(format="" if format == "auto" else format, columns=dict(columns))
        if changed:
            AuditEvent.note("read file differently", upload, by=by, format=format, columns=dict(columns))
    return bool(changed)


def columns_in(upload: Import) -> dict[str, Any]:
    """The names of the file's columns, or of its first entries' keys, each with its first value. Raises FileRefused."""
    return columns_of(path_of(upload))


def confirm(upload: Import, *, by: User | None, skips_bad_lines: bool) -> bool:
    """Confirm the import; a worker starts once this transaction has committed. False where it no longer waits."""
    with transaction.atomic():
        waiting = Import.objects.filter(id=upload.id, state=State.PREVIEWED)
        # leases.sweep counts from created_at: from the confirmation, not from the upload.
        confirmed = waiting.update(state=State.WAITING, skips_bad_lines=skips_bad_lines, created_at=Now())
        if confirmed:
            AuditEvent.note("confirm import", upload, by=by, skips_bad_lines=skips_bad_lines)
            transaction.on_commit(partial(_dispatch, upload.id), robust=True)
    return bool(confirmed)


def discard(upload: Import, *, by: User | None) -> bool:
    """Delete the file without importing it. False where it no longer waits for confirmation."""
    with transaction.atomic():
        waiting = Import.objects.filter(id=upload.id, state=State.PREVIEWED)
        discarded = waiting.update(state=State.DISCARDED, finished_at=Now())
        if discarded:
            AuditEvent.note("discard import", upload, by=by)
            transaction.on_commit(partial(_delete_file, upload), robust=True)
    return bool(discarded)


def run_import(import_id: Any) -> bool:
    """Import a confirmed file unless another worker has its lease; returns whether it is done."""
    work = leases.claim(Import, import_id)
    if work is None:
        return False
    try:
        report = _import_file(work)
        _finish(work, report)
    except leases.FenceLost:
        logger.info("import %s attempt %s: taken over by another attempt", work.id, work.attempt)
        return False
    except (FileRefused, OSError) as error:
        if leases.fail(work, str(error).replace(path_of(work).name, work.file_name)):
            _delete_file(work)
        return False
    _delete_file(work)
    return not report.stopped


def sweep_imports() -> int:
    """Dispatch lost imports again, fail those out of attempts, and discard old unconfirmed ones. Safe to repeat."""
    num = leases.sweep(Import, send=_dispatch, clean_up=_delete_file_of)
    forgotten = list(Import.objects.filter(state=State.PREVIEWED, created_at__lt=Now() - KEPT_UNCONFIRMED)[:100])
    for upload in forgotten:
        discard(upload, by=None)
    return num + len(forgotten)


def path_of(upload: Import) -> Path:
    return Path(settings.PARLEY_STORE) / upload.store_path


def _import_file(work: Import) -> ImportReport:
    renewal_due = 0.0

    def renew(fraction: float, _report: ImportReport) -> None:
        nonlocal renewal_due
        if time.monotonic() >= renewal_due:
            renewal_due = time.monotonic() + _RENEW_SECONDS
            leases.renew(work, fraction=fraction)

    given: dict[str, Any] = {
        "project": work.project,
        "by": work.requested_by,
        "format": work.format or "auto",
        "on_error": "skip" if work.skips_bad_lines else "stop",
        "source": work.file_name,
        "columns": work.columns,
        "on_progress": renew,
    }
    if work.kind == Import.Kind.RANKINGS:
        return import_rankings(path_of(work), **given)
    if work.kind == Import.Kind.THUMBS:
        return import_thumbs(path_of(work), **given)
    return import_dialogues(path_of(work), into_prompts=work.into_prompts, **given)


def _finish(work: Import, report: ImportReport) -> None:
    with transaction.atomic():
        held = leases.lock_attempt(work)
        held.state, held.report = (State.FAILED if report.stopped else State.DONE), report.encoded()
        if report.stopped:
            held.error = _("Some lines cannot be imported, so nothing was.")
        held.lease_until, held.finished_at, held.fraction = None, Now(), 1.0
        held.save(update_fields=["state", "report", "error", "lease_until", "finished_at", "fraction"])


def _format_of(path: Path, kind: Kind) -> str:
    """The name of its format; "" where none holds the kind and its names could be said to mean others.

    Raises FileRefused where nothing in its beginning can be read.
    """
    try:
        return preview(path, kind=kind).format.name
    except FileRefused:
        if columns_of(path):
            return ""
        raise


def _write(path: Path, content: Iterable[bytes]) -> int:
    """Write the file as it arrives. Raises UploadError once it is too large."""
    path.parent.mkdir(parents=True)
    num_bytes = 0
    with open(path, "wb") as file:
        for piece in content:
            num_bytes += len(piece)
            if num_bytes > settings.LARGEST_UPLOAD:
                limit = {"n": settings.LARGEST_UPLOAD // 2**20}
                raise UploadError(_("Files of more than %(n)d MB are imported with manage.py.") % limit)
            file.write(piece)
    return num_bytes


def _delete_file_of(import_id: Any) -> None:
    _delete_file(Import.objects.get(id=import_id))


def _delete_file(upload: Import) -> None:
    shutil.rmtree(path_of(upload).parent, ignore_errors=True)


def _plain_name(name: str) -> str:
    """The name without folders and unprintable characters, at most 200 characters."""
    last = PurePosixPath(name.replace("\\", "/")).name
    plain = "".join(letter for letter in last if letter.isprintable())[-200:]
    return plain if plain.strip(". ") else "file"


def _ending(name: str) -> str:
    return next((ending for ending in _ENDINGS if name.lower().endswith(ending)), "")


def _dispatch(import_id: Any) -> None:
    dispatch.send_task(TAKE_IN, import_id=str(import_id))
