"""Probe sets as rows: copied once, bound to the hash of their file, and never changed. Knows no policy."""

from django.db import transaction
from django.utils.translation import gettext as _

from labeling.evaluations.probe_sets import Probe, ProbeSet, ProbeSetError, SetName, bundled_probe_set
from labeling.models import ProbeSetVersion, ProbeText, Project


def sealed_bundled_set(name: SetName) -> ProbeSetVersion:
    """The platform's own set in its newest version, copied into rows if it is not yet.

    Raises ProbeSetError where the file is not the manifest's, or not the one that was sealed.
    """
    return seal(bundled_probe_set(name))


def seal(probe_set: ProbeSet, *, project: Project | None = None) -> ProbeSetVersion:
    """The rows of this set, made once. Raises ProbeSetError where another text was sealed under name and version.

    Of two at once the second waits for the unique constraint, and finds the rows of the first.
    """
    with transaction.atomic():
        version, is_new = ProbeSetVersion.objects.get_or_create(
            project=project,
            name=probe_set.name,
            version=probe_set.version,
            defaults={"sha256": probe_set.sha256},
        )
        if is_new:
            ProbeText.objects.bulk_create(_as_row(version, probe) for probe in probe_set.probes)
    if version.sha256 != probe_set.sha256:
        raise ProbeSetError(
            _(
                "%(name)s %(version)d is sealed with SHA-256 %(sealed)s, and this file has %(found)s; "
                "give a changed set the next version."
            )
            % {
                "name": version.name,
                "version": version.version,
                "sealed": version.sha256[:12],
                "found": probe_set.sha256[:12],
            }
        )
    return version


def _as_row(version: ProbeSetVersion, probe: Probe) -> ProbeText:
    fewest, most = probe.words or (None, None)
    return ProbeText(
        set_version=version,
        key=probe.id,
        group=probe.group,
        variant=probe.variant,
        kind=probe.kind,
        text=probe.text,
        num_seeds=probe.num_seeds,
        expected=probe.expected or "",
        severity=probe.severity,
        fewest_words=fewest,
        most_words=most,
    )
