"""Data that comes in: dialogues, prompts and rankings from the files of other projects, and from our own exports.

docs/records.md says what each format gives and what of it Parley does not keep.
"""

from labeling.importing.detecting import detect, names_of
from labeling.importing.reading import FileRefused, Refusal
from labeling.importing.report import ImportReport
from labeling.importing.taking_in import Preview, import_dialogues, import_rankings, preview

__all__ = [
    "FileRefused",
    "ImportReport",
    "Preview",
    "Refusal",
    "detect",
    "import_dialogues",
    "import_rankings",
    "names_of",
    "preview",
]
