"""Data that goes out: immutable sets of records with a manifest and a card, built in the background.

docs/records.md says what every field means.
"""

from labeling.exporting.building import build
from labeling.exporting.filters import FilterError, Filters, read_filters
from labeling.exporting.requests import cancel_export, exports_folder, request_export, sweep_exports

__all__ = [
    "FilterError",
    "Filters",
    "build",
    "cancel_export",
    "exports_folder",
    "read_filters",
    "request_export",
    "sweep_exports",
]
