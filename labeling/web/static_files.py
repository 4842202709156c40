"""How static files are named when they are served: by content, imports between our scripts included."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from re import Match
from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFiles(CompressedManifestStaticFilesStorage):
    """WhiteNoise's storage, which also rewrites `import … from "./x.js"` in our own scripts.

    Otherwise a page would load parley.HASH.js and a script that imports it parley.js: the same
    module twice, and every key would act twice. Libraries' files stay as they are: their comments
    show imports of files that they do not bring.
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
        """WhiteNoise writes the compressed copies itself, with what the umask leaves: they are given our mode too."""
        for name, compressed_name in super().compress_files(paths):
            Path(self.path(compressed_name)).chmod(self.file_permissions_mode)
            yield name, compressed_name


def _unchanged(found: Match[str], *_: Any) -> str:
    return found.group()
