"""Requesting, cancelling and sweeping exports. The Export row is the job; the broker's message only wakes a worker."""

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.exports.filters import FilterError, read_filters
from labeling.exports.formats import find_format
from labeling.jobs import dispatch, leases
from labeling.models import AuditEvent, Export, Project, User
from records.names import BUILD_EXPORT

State = Export.State


def request_export(
    project: Project,
    *,
    kind: str,
    by: User | None,
    filters: Mapping[str, Any] | None = None,
    format: str = "records",
    notify_worker: bool = True,
    rebuilt_from: Export | None = None,
) -> Export:
    """Create an export; a worker starts once this transaction has committed. Raises FilterError.

    With `notify_worker` False no worker is told: the caller builds it at once. `rebuilt_from` is the export that it is
    to take the place of.
    """
    read = read_filters(kind, filters or {})
    _require_format(format, kind)
    if read.includes_withheld and (by is None or not by.is_admin):
        raise FilterError(_("Only an admin may export texts that are withheld."))
    with transaction.atomic():
        export = Export.objects.create(
            project=project,
            kind=kind,
            format=format,
            filters=read.encoded(),
            requested_by=by,
            rebuilt_from=rebuilt_from,
        )
        origin = {"rebuilt_from": str(rebuilt_from.id)} if rebuilt_from is not None else {}
        AuditEvent.note("request export", export, by=by, kind=kind, format=format, filters=export.filters, **origin)
        if notify_worker:
            transaction.on_commit(partial(_dispatch, export.id), robust=True)
    return export


def _require_format(name: str, kind: str) -> None:
    try:
        find_format(name, kind)
    except ValueError as error:
        raise FilterError(str(error)) from error


def cancel_export(export: Export, *, by: User | None) -> bool:
    """Cancel an export that is not finished; its worker stops before the next chunk of rows."""
    with transaction.atomic():
        alive = Export.objects.filter(id=export.id, state__in=(State.WAITING, State.RUNNING))
        stopped = alive.update(state=State.CANCELLED, lease_until=None, finished_at=Now())
        if stopped:
            AuditEvent.note("cancel export", export, by=by)
            export.refresh_from_db()
    return bool(stopped)


def sweep_exports() -> int:
    """Dispatch lost exports again and fail those that have used up their attempts. Safe to repeat."""
    return leases.sweep(Export, send=_dispatch, clean_up=remove_leftovers)


def remove_leftovers(export_id: Any, *, below_attempt: int | None = None) -> None:
    """Delete the staging directories of earlier attempts."""
    for path in exports_folder().glob(f"tmp-{export_id}-*"):
        attempt = path.name.split("-")[6]
        if below_attempt is None or int(attempt) < below_attempt:
            shutil.rmtree(path, ignore_errors=True)


def exports_folder() -> Path:
    return Path(settings.PARLEY_STORE) / "exports"


def _dispatch(export_id: Any) -> None:
    dispatch.send_task(BUILD_EXPORT, export_id=str(export_id))
