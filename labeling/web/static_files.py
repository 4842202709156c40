"""Static files with a content hash in their names, also in the imports between our own scripts."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from re import Match
from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFiles(CompressedManifestStaticFilesStorage):
    """WhiteNoise's storage, which also rewrites `import … from "./x.js"` in our own scripts.

    Otherwise a page would load parley.HASH.js and a script that imports it parley.js: the module would
    run twice, and every key press would act twice. Files of libraries are not rewritten: their comments
    contain imports of files that they do not ship.
    """

    support_js_module_import_aggregation = True

    def url_converter(
        self, name: str, hashed_files: dict[str, str], template: str | None = None
    ) -> Callable[[Match[str]], str]:
        if name.startswith("labeling/"):
            converter: Callable[[Match[str]], str] = super().url_converter(name, hashed_files, template)
            return converter
        return _unchanged

    def compress_files(self, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Give the compressed copies our file mode too: WhiteNoise writes them with whatever the umask leaves."""
        for name, compressed_name in super().compress_files(paths):
            Path(self.path(compressed_name)).chmod(self.file_permissions_mode)
            yield name, compressed_name


def _unchanged(found: Match[str], *_: Any) -> str:
    return found.group()
