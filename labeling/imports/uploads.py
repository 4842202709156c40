"""Imports from the browser: a file is brought, looked at, confirmed by a person, and taken in by a worker.

The row is the work, as for exports. An import that broke off is begun anew; what came in stays once.
"""

import logging
import shutil
import time
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.imports.detection import Kind
from labeling.imports.importer import Preview, import_dialogues, import_rankings, preview
from labeling.imports.reader import FileRefused
from labeling.imports.report import ImportReport
from labeling.jobs import dispatch, leases
from labeling.models import AuditEvent, Import, Project, User
from records.names import TAKE_IN

logger = logging.getLogger(__name__)

KEPT_UNCONFIRMED = timedelta(days=7)  # then a file that nobody took in is thrown away
State = Import.State
_RENEW_SECONDS = 2.0
_ENDINGS = (".jsonl.gz", ".json.gz", ".jsonl", ".json", ".gz")


class UploadError(ValueError):
    """A file that is not taken; the text is for the person who brought it."""


def bring(
    project: Project,
    *,
    name: str,
    content: Iterable[bytes],
    kind: Kind,
    by: User | None,
    into_prompts: bool = False,
) -> Import:
    """Keep the file and look at its beginning; nothing is imported until `confirm`. Raises UploadError."""
    brought = Import(
        project=project, kind=kind, into_prompts=into_prompts, file_name=_plain_name(name), requested_by=by
    )
    brought.store_path = f"imports/{brought.id}/file{_ending(name)}"
    path = path_of(brought)
    try:
        brought.num_bytes = _write(path, content)
        brought.format = preview(path, kind=kind).format.name
    except FileRefused as error:
        _delete_file(brought)
        raise UploadError(str(error).replace(path.name, brought.file_name)) from error
    except UploadError:
        _delete_file(brought)
        raise
    with transaction.atomic():
        brought.save()
        AuditEvent.note("bring file", brought, by=by, file=brought.file_name, num_bytes=brought.num_bytes)
    return brought


def look_at(brought: Import) -> Preview:
    """The first records of the file as Parley understands them. Raises FileRefused."""
    return preview(path_of(brought), kind=_kind(brought), format=brought.format)


def confirm(brought: Import, *, by: User | None, skips_bad_lines: bool) -> bool:
    """Let it be imported; a worker begins once this transaction has committed."""
    with transaction.atomic():
        waiting = Import.objects.filter(id=brought.id, state=State.PREVIEWED)
        # The clock of what is unheard (labeling.jobs.leases) starts here, not when the file was brought.
        confirmed = waiting.update(state=State.WAITING, skips_bad_lines=skips_bad_lines, created_at=Now())
        if confirmed:
            AuditEvent.note("confirm import", brought, by=by, skips_bad_lines=skips_bad_lines)
            transaction.on_commit(partial(_ring, brought.id), robust=True)
    return bool(confirmed)


def discard(brought: Import, *, by: User | None) -> bool:
    """Throw the file away, unimported."""
    with transaction.atomic():
        waiting = Import.objects.filter(id=brought.id, state=State.PREVIEWED)
        discarded = waiting.update(state=State.DISCARDED, finished_at=Now())
        if discarded:
            AuditEvent.note("discard import", brought, by=by)
            transaction.on_commit(partial(_delete_file, brought), robust=True)
    return bool(discarded)


def take_in(import_id: Any) -> bool:
    """Import a confirmed file if nobody else does; returns whether it is done."""
    work = leases.claim(Import, import_id)
    if work is None:
        return False
    try:
        report = _take_in(work)
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
    """Ring again for what was lost, and fail what has used up its attempts. Safe to repeat."""
    unheard = leases.find_lost(Import)
    for identifier in unheard:
        _ring(identifier)
    given_up = leases.give_up(Import, _("Every attempt stopped without a word; the workers' log says more."))
    forgotten = list(Import.objects.filter(state=State.PREVIEWED, created_at__lt=Now() - KEPT_UNCONFIRMED)[:100])
    for brought in forgotten:
        discard(brought, by=None)
    return len(unheard) + len(given_up) + len(forgotten)


def path_of(brought: Import) -> Path:
    return Path(settings.PARLEY_STORE) / brought.store_path


def _take_in(work: Import) -> ImportReport:
    due = 0.0

    def renew(fraction: float, _report: ImportReport) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + _RENEW_SECONDS
            leases.renew(work, fraction=fraction)

    given: dict[str, Any] = {
        "project": work.project,
        "by": work.requested_by,
        "format": work.format,
        "on_error": "skip" if work.skips_bad_lines else "stop",
        "source": work.file_name,
        "on_progress": renew,
    }
    if work.kind == Import.Kind.RANKINGS:
        return import_rankings(path_of(work), **given)
    return import_dialogues(path_of(work), into_prompts=work.into_prompts, **given)


def _finish(work: Import, report: ImportReport) -> None:
    with transaction.atomic():
        held = leases.lock_attempt(work)
        held.state, held.report = (State.FAILED if report.stopped else State.DONE), report.encoded()
        if report.stopped:
            held.error = _("Some lines cannot be imported, so nothing was.")
        held.lease_until, held.finished_at, held.fraction = None, Now(), 1.0
        held.save(update_fields=["state", "report", "error", "lease_until", "finished_at", "fraction"])


def _write(path: Path, content: Iterable[bytes]) -> int:
    """Write the file as it comes. Raises UploadError once it is too large."""
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


def _delete_file(brought: Import) -> None:
    shutil.rmtree(path_of(brought).parent, ignore_errors=True)


def _plain_name(name: str) -> str:
    """The name without folders and without characters that have no place in a name."""
    last = PurePosixPath(name.replace("\\", "/")).name
    plain = "".join(letter for letter in last if letter.isprintable())[-200:]
    return plain if plain.strip(". ") else "file"


def _ending(name: str) -> str:
    return next((ending for ending in _ENDINGS if name.lower().endswith(ending)), "")


def _kind(brought: Import) -> Kind:
    return "rankings" if brought.kind == Import.Kind.RANKINGS else "dialogues"


def _ring(import_id: Any) -> None:
    dispatch.send_task(TAKE_IN, import_id=str(import_id))
