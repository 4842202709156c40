"""Imports: dialogues, prompts, rankings and thumbs from files; knows nothing of queues, boards or exports.

docs/records.md lists what each format gives and what of it Parley does not keep.
"""

from labeling.imports.detection import detect, names_of
from labeling.imports.importer import Preview, import_dialogues, import_rankings, import_thumbs, preview
from labeling.imports.reader import FileRefused, Refusal
from labeling.imports.report import ImportReport

__all__ = [
    "FileRefused",
    "ImportReport",
    "Preview",
    "Refusal",
    "detect",
    "import_dialogues",
    "import_rankings",
    "import_thumbs",
    "names_of",
    "preview",
]
