"""The content filters of this process: loaded once by store path and manifest hash, verified, and kept."""

import logging
import threading
from collections import OrderedDict
from functools import cache
from pathlib import Path, PurePosixPath

from contentfilter.content_filter import BUNDLED, FilterError, load_filter
from language.embedding import EmbeddingError
from records import Screen
from records.manifest import MANIFEST, sha256_of
from sampler.configuration import Configuration, configuration
from sampler.embedding import embedder
from sampler.screening.local import LocalFilter
from sampler.screening.seeing import FilterAway, TextFilter
from sampler.screening.servers import FilterServers

MOST_KEPT = 4  # the one in force, its candidate, and what projects have not yet left

logger = logging.getLogger(__name__)


class Filters:
    """Finds the filter that a request names. Safe to ask from many threads."""

    def __init__(self, configuration: Configuration) -> None:
        self._store = configuration.store
        self._servers = FilterServers(configuration)
        self._kept: OrderedDict[tuple[str, str | None], LocalFilter] = OrderedDict()
        self._turn = threading.Lock()

    def get(self, screen: Screen) -> TextFilter:
        """The filter of a request. Raises FilterAway where there is none to ask."""
        if screen.backend != "local":
            return self._servers.filter(screen)
        with self._turn:  # first texts come together, and the first of all while the worker still loads ahead
            try:
                return self._local(screen.filter_path, screen.filter_sha256)
            except (FilterError, EmbeddingError, OSError) as error:
                raise FilterAway(str(error)) from error

    def load_ahead(self) -> None:
        """Have the bundled filter ready before the first text, and its first look, which is slower, behind it."""
        try:
            self.get(Screen(filter="bundled", rules_version=0)).look(["A first look."])
        except FilterAway as away:
            logger.warning("the bundled content filter is away: %s", away)
        else:
            logger.info("the bundled content filter is ready")

    def _local(self, path: str, sha256: str | None) -> LocalFilter:
        directory = self._directory(path) if path else BUNDLED
        if path and sha256 is None and (directory / MANIFEST).is_file():
            sha256 = sha256_of(directory / MANIFEST)
        key = (path, sha256)
        if key not in self._kept:
            loaded = load_filter(directory, embedder=embedder(), expected_sha256=sha256 if path else None)
            self._kept[key] = LocalFilter(loaded)
        self._kept.move_to_end(key)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]

    def _directory(self, path: str) -> Path:
        parts = PurePosixPath(path).parts
        if not parts or PurePosixPath(path).is_absolute() or ".." in parts:
            raise FilterAway(f"filter path {path!r} does not lie in the model store")
        if not (self._store / path).is_dir():
            raise FilterAway(f"filter {path} is not in this worker's model store ({self._store}); publish it there")
        return self._store / path


def filters() -> Filters:
    """The filters of this process."""
    with _making:
        return _make()


_making = threading.Lock()


@cache
def _make() -> Filters:
    return Filters(configuration())
