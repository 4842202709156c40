"""Building an export: freeze the ids, read rows in chunks, write records, publish one directory.

An attempt may be killed at any moment: nothing half-written is ever visible, and the next attempt starts from the
beginning. The same rows under the same filters give the same bytes, manifest and card included.
"""

import logging
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.exports.agreement_filter import keep_agreeing
from labeling.exports.card import card_text
from labeling.exports.filters import ADJUDICATED, FilterError, Filters, read_filters
from labeling.exports.formats import OutputFormat, find_format
from labeling.exports.methods.facts import methods_facts, num_unfiltered
from labeling.exports.personal_data import scrub
from labeling.exports.records import SOURCES, Source
from labeling.exports.requests import exports_folder, remove_leftovers
from labeling.exports.statistics import Statistics, new_statistics
from labeling.exports.writers import FormatWriter, RecordsWriter
from labeling.jobs import leases
from labeling.models import Export, Webhook
from labeling.webhooks.deliveries import announce
from records import FORMAT_VERSION, ManifestError, RecordError, publish_directory
from records.manifest import flush

logger = logging.getLogger(__name__)

CHUNK = 1_000  # rows read in one query
CARD = "card.md"
_IDS, _AGREEING_IDS = "ids", "agreeing-ids"
_RENEW_SECONDS = 2.0  # between renewals of the lease; far below its length, and cheap for the database

OnProgress = Callable[[float], None]


def build(export_id: uuid.UUID | str, *, on_progress: OnProgress | None = None) -> bool:
    """Build the export unless another worker has its lease; returns whether it is done.

    An error that a person can correct (store, filters, records) fails the export with a message; any other is left to
    the next attempt.
    """
    export = leases.claim(Export, export_id)
    if export is None:
        return False
    staging = exports_folder() / f"tmp-{export.id}-{export.attempt}"
    whole = staging.with_name(f"{staging.name}-whole")
    try:
        _build(export, staging, whole, on_progress or _ignore_progress)
    except leases.FenceLost:
        logger.info("export %s attempt %s: stopped, or taken over by another attempt", export.id, export.attempt)
        return False
    except OSError as error:
        leases.fail(export, _("The store cannot be written: %(error)s. Mend that, then ask again.") % {"error": error})
        return False
    except (RecordError, ManifestError, FilterError, ValueError) as error:
        logger.exception("export %s failed", export.id)
        leases.fail(export, str(error))
        return False
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        shutil.rmtree(whole, ignore_errors=True)
    return True


def _build(export: Export, staging: Path, whole: Path, on_progress: OnProgress) -> None:
    remove_leftovers(export.id, below_attempt=export.attempt)
    staging.mkdir(parents=True)
    source, filters = SOURCES[Export.Kind(export.kind)], read_filters(export.kind, export.filters)
    left_out, unfiltered = source.left_out(export.project), num_unfiltered(source, export.project)
    statistics, output = new_statistics(export.kind), find_format(export.format, export.kind)
    lost = _write_records(export, staging, source, filters, statistics, output, on_progress)
    card = card_text(
        export.kind,
        project=export.project,
        filters=filters,
        statistics=statistics,
        left_out=left_out,
        losses=output.losses if output else (),
        lost=lost,
    )
    (staging / CARD).write_text(card, encoding="utf-8")
    counts = {**statistics.counts(), "left_out": left_out, **lost}
    methods = methods_facts(export.project, statistics, unfiltered=unfiltered)
    fields = _manifest_fields(export, filters, statistics, counts)
    manifest_sha256 = publish_directory(staging, whole, **fields, methods=methods)
    _finish(export, whole, manifest_sha256, statistics.num, counts)
    on_progress(1.0)


def _write_records(
    export: Export,
    staging: Path,
    source: Source,
    filters: Filters,
    statistics: Statistics,
    output: OutputFormat | None,
    on_progress: OnProgress,
) -> dict[str, dict[str, int]]:
    """Write every record in the export's format; returns the counts of what the format lost."""
    ids = staging / _IDS
    beside = source.beside(export.project, filters) if source.beside else None
    total = _freeze_ids(source.rows(export.project, filters), ids, beside=beside)
    if (at_least := filters.wanted_agreement) is not None:
        keeps = filters.disagreements == ADJUDICATED
        total = keep_agreeing(_chunks(ids), staging / _AGREEING_IDS, at_least=at_least, keeps_adjudicated=keeps)
        (staging / _AGREEING_IDS).replace(ids)
    done, renewal_due = 0, 0.0
    with closing(FormatWriter(staging, output) if output else RecordsWriter(staging, source.file_name)) as writer:
        for chunk in _chunks(ids):
            if source.write_lines and isinstance(writer, RecordsWriter) and not filters.scrubs_personal_data:
                source.write_lines(chunk, filters, statistics, writer.file)
            else:
                _write_chunk(source.read(chunk, filters), filters, statistics, writer)
            done += len(chunk)
            if time.monotonic() >= renewal_due:
                renewal_due = time.monotonic() + _RENEW_SECONDS
                leases.renew(export, fraction=0.97 * done / total)
                on_progress(0.97 * done / total)
    ids.unlink()
    leases.renew(export, fraction=0.97)
    return writer.counts()


def _write_chunk(
    records: Sequence[Any], filters: Filters, statistics: Statistics, writer: RecordsWriter | FormatWriter
) -> None:
    for record in records:
        kept = scrub(record, statistics.scrubbed) if filters.scrubs_personal_data else record
        statistics.add(kept)
        writer.write(kept)


def _freeze_ids(rows: QuerySet[Any], path: Path, *, beside: QuerySet[Any] | None = None) -> int:
    """Write the ids of the rows to a file, in order; returns how many.

    One COPY holds a snapshot for seconds; held for the whole build, it would keep dead index entries at the head of
    the trainers' queue alive and slow claiming tenfold (docs/decisions/0005-exports-freeze-ids.md).
    """
    statement, values = rows.values("id").query.sql_with_params()
    if beside is not None and beside.exists():
        both = [one.order_by().values_list("comparison_id", "id").query.sql_with_params() for one in (rows, beside)]
        union = " UNION ALL ".join(f"({one})" for one, _ in both)
        statement = f"SELECT id FROM ({union}) both_kinds (comparison_id, id) ORDER BY comparison_id, id"  # noqa: S608
        values = sum((given for _, given in both), ())
    with open(path, "w") as file, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '10min'")  # the settings' limit is for web requests
        copied = cursor.mogrify(statement, values).decode()
        cursor.copy_expert(f"COPY ({copied}) TO STDOUT", file)
        return int(cursor.rowcount)


def _chunks(path: Path) -> Iterator[list[str]]:
    with open(path) as lines:
        while chunk := [line.rstrip("\n") for line in islice(lines, CHUNK)]:
            yield chunk


def _manifest_fields(
    export: Export, filters: Filters, statistics: Statistics, counts: dict[str, Any]
) -> dict[str, Any]:
    """The manifest's fields besides its files. Only values that stay the same while rows and filters do."""
    return {
        "format_version": FORMAT_VERSION,
        "format": export.format,
        "kind": export.kind,
        "project": export.project.slug,
        "filters": filters.encoded(),
        "splits": {
            "train": 100 - filters.validation_percent - filters.test_percent,
            "validation": filters.validation_percent,
            "test": filters.test_percent,
            "by": filters.split_by,
        },
        "guideline_versions": sorted(int(version) for version in statistics.guideline_versions),
        "counts": counts,
    }


def _finish(export: Export, whole: Path, manifest_sha256: str, num_records: int, counts: dict[str, Any]) -> None:
    """Rename the directory to its final name and mark the row done, in one transaction that holds this attempt's lease.

    The lease is checked under a row lock: an attempt that lost it must not replace the directory of its successor.
    """
    target = exports_folder() / str(export.id)
    num_bytes = sum(path.stat().st_size for path in whole.iterdir())
    with transaction.atomic():
        held = leases.lock_attempt(export)
        shutil.rmtree(target, ignore_errors=True)  # left by an attempt that died between rename and commit
        whole.rename(target)
        flush(target.parent)
        held.state, held.fraction, held.lease_until, held.finished_at = Export.State.DONE, 1.0, None, Now()
        held.store_path, held.manifest_sha256 = f"exports/{export.id}", manifest_sha256
        held.num_records, held.num_bytes, held.counts = num_records, num_bytes, counts
        held.save(
            update_fields=[
                "state", "fraction", "lease_until", "finished_at", "store_path", "manifest_sha256",
                "num_records", "num_bytes", "counts",
            ]
        )  # fmt: skip
        facts = {"export_id": str(export.id), "kind": export.kind, "format": export.format, "num_records": num_records}
        announce(export.project, Webhook.Event.EXPORT_READY, **facts)


def _ignore_progress(_fraction: float) -> None:
    return
