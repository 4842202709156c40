"""Who samples: a backend answers one request, whatever runs behind it.

Each backend is a module with a class of this shape: local for files of the model store, served for
OpenAI-compatible servers.
"""

from collections.abc import Callable
from typing import Protocol

from records import Completion, SampleRequest
from sampler.runs import Run

# Hears the next text of a completion, or none where none came for a while; True to have that completion end here.
OnText = Callable[[int, str], bool | None]
SILENT_SECONDS = 0.25

# Purposes for which a person waits or watches; the rest is overnight work.
URGENT = ("suggestion", "chat")


class BackendError(ValueError):
    """A request that cannot be answered, now or on another try: why, and what a person can do."""


class Backend(Protocol):
    """Something that samples."""

    @property
    def device(self) -> str:
        """Where, for the record: "cpu bfloat16", a GPU's name, a server's address."""

    def sample(self, request: SampleRequest, run: Run, *, on_text: OnText | None) -> tuple[Completion, ...]:
        """All completions of the request, cut short where `run` is cancelled. Raises BackendError.

        `on_text`, where given, hears new text of a completion as it comes. Where it answers True, that completion ends
        as if cancelled, and no more of it is sampled than was under way.
        """
