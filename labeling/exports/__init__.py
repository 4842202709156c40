"""Exports: immutable sets of records, each with a manifest and a card; knows nothing of training.

docs/records.md describes every field.
"""

from labeling.exports.builder import build
from labeling.exports.filters import FilterError, Filters, read_filters
from labeling.exports.requests import cancel_export, exports_folder, request_export, sweep_exports

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
