"""What texts mean, for whoever asks over the broker; and the one embedder of this process."""

import threading
from functools import cache

from language.embedding import Embedder, EmbeddingError, load_embedder
from records import EmbedRequest, EmbedResult

_DECIMALS = 5  # of a unit vector's entries: cosines keep four digits
_loading = threading.Lock()


def embed(request: EmbedRequest) -> EmbedResult:
    """The vectors of the request's texts; what a person can mend comes back as the result's `error`."""
    try:
        vectors = embedder().vectors(request.texts)
    except EmbeddingError as error:
        return EmbedResult(ids=request.ids, error=str(error))
    rounded = tuple(tuple(round(entry, _DECIMALS) for entry in vector) for vector in vectors.tolist())
    return EmbedResult(ids=request.ids, vectors=rounded)


def embedder() -> Embedder:
    """The embedder of this process, loaded at first use. Raises EmbeddingError where its wheel is missing."""
    with _loading:  # first requests come together
        return _load_once()


@cache
def _load_once() -> Embedder:
    return load_embedder()
