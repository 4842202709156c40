"""Imports: one at a time, everything once, under its own name, and nothing by an attempt that lost its lease."""

from tests.mutants.mutant import Mutant

_TESTS = "tests/labeling/imports/"


def _in(module: str, fault: str, before: str, after: str, test: str) -> Mutant:
    return Mutant(f"labeling/imports/{module}.py", fault, ((before, after),), (f"{_TESTS}test_{test}.py",))


def _storing(fault: str, before: str, after: str) -> Mutant:
    return _in("rankings", fault, before, after, "storing_rankings")


def _importer(fault: str, before: str, after: str) -> Mutant:
    return _in("importer", fault, before, after, "import_rankings")


def _uploads(fault: str, before: str, after: str) -> Mutant:
    return _in("uploads", fault, before, after, "uploads")


def _identity(fault: str, before: str, after: str, test: str) -> Mutant:
    return _in("identity", fault, before, after, test)


MUTANTS = [
    _identity(
        "the stored order tells the ranks",
        "hashlib.sha256(repr(_content(completion)).encode()).digest())",
        "0)",
        "import_rankings",
    ),
    _identity(
        "ties have an order",
        "[sorted(places[identifier] for identifier in tier) for",
        "[[places[identifier] for identifier in tier] for",
        "storing_rankings",
    ),
    _identity(
        "two people's judgements are one",
        "ranking.abstained, ranking.trainer, ranking",
        "ranking.abstained, ranking",
        "storing_rankings",
    ),
    _storing("two imports write at a time", "        lock_project(project)\n", ""),
    _in(
        "project_lock",
        "an import holds up every project",
        'f"parley: import into {project.id}"',
        '"parley: import into"',
        "storing_rankings",
    ),
    _storing(
        "a name alone credits our policy",
        'policies.get(completion.policy or "") if completion.sampling else None',
        'policies.get(completion.policy or "")',
    ),
    _storing(
        "retracted rankings are counted", 'comparison=OuterRef("id"), retracted_at=None)', 'comparison=OuterRef("id"))'
    ),
    _storing("a comparison at work loses its places", "round=None, open_slots=0).update(", "round=None).update("),
    _importer(
        "lines after the limit stop an import",
        "read in islice(read_records(entries, known, kind), limit):\n        if isinst",
        "read in read_records(entries, known, kind):\n        if isinst",
    ),
    _importer(
        "a change of the same size is not noticed",
        "return status.st_size, status.st_mtime_ns",
        "return status.st_size, 0",
    ),
    _importer(
        "a race for one prompt ends the import", "range(1, _MOST_TRIES + 1)", "range(_MOST_TRIES, _MOST_TRIES + 1)"
    ),
    _uploads(
        "what was discarded is imported",
        "        waiting = Import.objects.filter(id=upload.id, state=State.PREVIEWED)\n        # leases",
        "        waiting = Import.objects.filter(id=upload.id)\n        # leases",
    ),
    _uploads(
        "what is under way is discarded",
        "        waiting = Import.objects.filter(id=upload.id, state=State.PREVIEWED)\n        discarded",
        "        waiting = Import.objects.filter(id=upload.id)\n        discarded",
    ),
    _uploads(
        "a fresh message counts as lost",
        ", skips_bad_lines=skips_bad_lines, created_at=Now())",
        ", skips_bad_lines=skips_bad_lines)",
    ),
    _uploads(
        "confirming leaves no trace",
        '            AuditEvent.note("confirm import", upload, by=by, skips_bad_lines=skips_bad_lines)\n',
        "",
    ),
    _uploads("a late attempt writes its report", "held = leases.lock_attempt(work)", "held = work"),
    _uploads(
        "a late attempt deletes the file",
        "    except leases.FenceLost:\n",
        "    except leases.FenceLost:\n        _delete_file(work)\n",
    ),
    _uploads(
        "a late failure deletes the file",
        "        if leases.fail(work, str(error).replace(path_of(work).name, work.file_name)):\n",
        "        leases.fail(work, str(error))\n        if True:\n",
    ),
    _uploads("the file of a dead import stays for ever", ", clean_up=_delete_file_of)", ")"),
    _uploads("the limit is of one piece", "num_bytes += len(piece)", "num_bytes = len(piece)"),
    _uploads(
        "a file just as large as allowed is refused",
        "num_bytes > settings.LARGEST_UPLOAD",
        "num_bytes >= settings.LARGEST_UPLOAD",
    ),
]
