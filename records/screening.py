"""What a content filter is asked about texts, and what it says of them."""

from dataclasses import dataclass, field
from typing import Literal

from records.checking import require

FilterBackend = Literal["local", "openai_moderation", "chat_guard"]
Side = Literal["said", "answered"]
Verdict = Literal["pass", "warn", "block", "not judged"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterRule:
    """What is done with a category on one side of a dialogue: from which probability on a text is warned of, or
    blocked; None where it never is. In `shadow` the verdict is recorded and nothing is done."""

    category: str
    side: Side
    mode: Literal["shadow", "on"] = "on"
    warn_at: float | None = None
    block_at: float | None = None

    def __post_init__(self) -> None:
        for name, bound in (("warn_at", self.warn_at), ("block_at", self.block_at)):
            require(bound is None or 0 < bound <= 1, name, f"must be above 0 and at most 1, not {bound}")


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterServer:
    """A server that judges texts: OpenAI's moderation endpoint, or a guard model behind an OpenAI-compatible API."""

    url: str
    model: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Screen:
    """Which content filter sees the texts of a request, and by which rules it acts.

    `filter_path` is relative to the model store; empty, it is the filter that is bundled with Parley. With
    `needs_filter` nothing is sampled where the filter is away; else what is sampled is marked as not judged.
    """

    filter: str
    rules_version: int
    rules: tuple[FilterRule, ...] = ()
    backend: FilterBackend = "local"
    filter_path: str = ""
    filter_sha256: str | None = None
    server: FilterServer | None = None
    needs_filter: bool = False

    def __post_init__(self) -> None:
        require(self.backend == "local" or self.server is not None, "server", f"is missing for {self.backend}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Screening:
    """One text as a filter saw it: `answered` texts by the index of their completion, from their beginning to `end`.

    `category` is the one that decided the verdict, `acted` whether a rule that is on then warned or blocked.
    `reason` says why a text was not judged. `milliseconds` is what the look took.
    """

    side: Side
    filter: str
    verdict: Verdict
    text_sha256: str
    probabilities: dict[str, float] = field(default_factory=dict)
    category: str | None = None
    acted: bool = False
    index: int | None = None
    end: int | None = None
    reason: str | None = None
    milliseconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Withheld:
    """What nobody was shown of a completion: its text from where the filter blocked it."""

    index: int
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledText:
    """A screened text with what people said of it, as a filter learns from it: 1 or 0 by category, others unknown.

    `came_by` says how it was drawn, `inclusion` with which probability where that is known.
    """

    id: str
    text: str
    labels: dict[str, int]
    side: Side
    came_by: str
    inclusion: float | None = None
    num_labels: int | None = None
    guideline_version: int | None = None
    split: Literal["train", "validation", "test"] | None = None

    def __post_init__(self) -> None:
        require(set(self.labels.values()) <= {0, 1}, "labels", f"must be 0 or 1, not {self.labels}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScreenRequest:
    """Ask a filter about texts after the fact: in shadow, or for a program outside. `ids` say which text is which."""

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    sides: tuple[Side, ...]
    screen: Screen

    def __post_init__(self) -> None:
        lengths = {len(self.ids), len(self.texts), len(self.sides)}
        require(len(lengths) == 1, "texts", f"are {len(self.texts)} for {len(self.ids)} ids, {len(self.sides)} sides")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScreenResult:
    """A screening a text, in the order of `ids`; or `error` says why there are none."""

    ids: tuple[str, ...]
    screenings: tuple[Screening, ...] = ()
    error: str | None = None

    def __post_init__(self) -> None:
        whole = self.error is not None or len(self.ids) == len(self.screenings)
        require(whole, "screenings", f"are {len(self.screenings)} for {len(self.ids)} ids")
