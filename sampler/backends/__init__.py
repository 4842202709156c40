"""Who samples: a backend answers one request, whatever runs behind it.

Each backend is a module with a class of this shape: local for files of the model store, served for
OpenAI-compatible servers.
"""

from collections.abc import Callable
from typing import Protocol

from records import Completion, SampleRequest
from sampler.runs import Run

# Purposes for which a person waits or watches; the rest is overnight work.
URGENT = ("suggestion", "chat")


class BackendError(ValueError):
    """A request that cannot be answered, now or on another try: why, and what a person can do."""


class Backend(Protocol):
    """Something that samples."""

    @property
    def device(self) -> str:
        """Where, for the record: "cpu bfloat16", a GPU's name, a server's address."""

    def sample(
        self, request: SampleRequest, run: Run, *, on_text: Callable[[int, str], None] | None
    ) -> tuple[Completion, ...]:
        """All completions of the request, cut short where `run` is cancelled. Raises BackendError.

        `on_text`, where given, hears new text of a completion as it comes.
        """
