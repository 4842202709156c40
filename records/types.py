"""The records themselves: frozen dataclasses that keep what people and models did.

A record keeps the act, not what a loss wants of it: a Ranking has tiers, not pairs.
Each class checks its own sense in `__post_init__` and says which field is wrong.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from records.checking import require
from records.screening import Screen, Screening, Withheld

FORMAT_VERSION = 1

Role = Literal["system", "user", "assistant"]
Authorship = Literal["typed", "taken", "edited", "policy", "imported"]
Split = Literal["train", "validation", "test"]
FinishReason = Literal["stop", "length", "cancelled", "filtered", "other_stop"]
Purpose = Literal["suggestion", "chat", "comparison", "evaluation"]
TrainerKind = Literal["person", "simulated", "imported", "visitor"]
Adjudicated = Literal["mistake", "taste", "unclear guideline", "unclear prompt", "both fine"]
TrainingKind = Literal["sft", "reward_model", "ppo", "rloo", "dpo", "kto", "rejection_sampling", "filter"]
ServerKind = Literal["openai", "vllm", "llama.cpp", "tgi", "transformers"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One utterance. `authorship` says how the text came to be; `policy` names the model behind it.

    `reasoning` is what an imported answer was preceded by; nobody is shown it as the answer or taught it.
    """

    role: Role
    content: str
    authorship: Authorship | None = None
    policy: str | None = None
    reasoning: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingParams:
    """How tokens are drawn. temperature 1, top_p 1 and top_k 0 are pure sampling; 0 temperature is greedy."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_new_tokens: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.temperature >= 0, "temperature", f"must be at least 0, not {self.temperature}")
        require(0 < self.top_p <= 1, "top_p", f"must be above 0 and at most 1, not {self.top_p}")
        require(self.top_k >= 0, "top_k", f"must be at least 0 (0 = off), not {self.top_k}")
        require(self.max_new_tokens >= 1, "max_new_tokens", f"must be at least 1, not {self.max_new_tokens}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """The messages a completion answers; the last one is the user's."""

    id: str
    messages: tuple[Message, ...]
    topic: str | None = None
    source: str | None = None
    split: Split | None = None

    def __post_init__(self) -> None:
        _require_prompt(self.messages)


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """One candidate answer with its provenance. `policy` is None where a person wrote it."""

    id: str
    content: str
    policy: str | None = None
    sampling: SamplingParams | None = None
    finish_reason: FinishReason | None = None
    num_tokens: int | None = None
    logprob: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Demonstration:
    """An accepted dialogue with a person's answers, for supervised fine-tuning."""

    id: str
    messages: tuple[Message, ...]
    topic: str | None = None
    trainer: str | None = None
    guideline_version: int | None = None
    source: str | None = None
    split: Split | None = None

    def __post_init__(self) -> None:
        require(
            any(message.role == "assistant" for message in self.messages),
            "messages",
            "has no assistant message to learn from",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Rating:
    """One completion judged alone, before ranking (InstructGPT Table 3)."""

    completion_id: str
    overall: int | None = None
    flags: dict[str, bool] = field(default_factory=dict)
    note: str | None = None

    def __post_init__(self) -> None:
        require(self.overall is None or 1 <= self.overall <= 7, "overall", f"must be 1 to 7, not {self.overall}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """One trainer's weak order over the completions of a comparison.

    `tiers` holds completion ids, best tier first; ids in one tier are tied. Every completion is in
    exactly one tier, unless the trainer abstained: then `tiers` is empty and `abstained` is the reason.
    `unacceptable_from` is the index of the first tier below the line of acceptability: 0 means
    that none is acceptable, None means that no line was drawn.
    `strengths` says of each tier but the last how much better it is than the next: 1 a little, 2 clearly, 3 far.
    It is empty where that was not said.
    With `choice` one was chosen among several and nothing was said of the others: they share the last tier
    without being tied.
    With `adjudication` it is no trainer's ranking but a reviewer's, who settled what trainers ranked differently: it is
    the reason why they did, and the reviewer is the `trainer`. It never counts as one more trainer's agreement.
    """

    id: str
    comparison_id: str
    messages: tuple[Message, ...]
    completions: tuple[Completion, ...]
    tiers: tuple[tuple[str, ...], ...]
    unacceptable_from: int | None = None
    strengths: tuple[int, ...] = ()
    abstained: str | None = None
    choice: bool | None = None
    adjudication: Adjudicated | None = None
    note: str | None = None
    shown_order: tuple[str, ...] = ()
    ratings: tuple[Rating, ...] = ()
    trainer: str | None = None
    trainer_kind: TrainerKind = "person"
    guideline_version: int | None = None
    seconds: float | None = None
    ranked_at: str | None = None
    round: int | None = None
    topic: str | None = None
    source: str | None = None
    split: Split | None = None

    def __post_init__(self) -> None:
        _require_prompt(self.messages)
        ids = [completion.id for completion in self.completions]
        require(len(ids) >= 2, "completions", f"needs at least 2, has {len(ids)}")
        _require_distinct(ids, "completions")
        if self.abstained is not None:
            require(not self.tiers, "tiers", "must be empty where the trainer abstained")
        else:
            require_weak_order(self.tiers, ids)
        require(
            self.adjudication is None or (self.abstained is None and not self.choice),
            "adjudication",
            "is a whole order: neither an abstention nor a choice",
        )
        require(not self.choice or len(self.tiers) == 2, "choice", "has two tiers: the chosen, and the others")
        line = self.unacceptable_from
        require(
            line is None or 0 <= line <= len(self.tiers),
            "unacceptable_from",
            f"must lie between 0 and {len(self.tiers)}, the number of tiers, not {line}",
        )
        require_strengths(self.strengths, self.tiers)
        if self.shown_order:
            require(sorted(self.shown_order) == sorted(ids), "shown_order", "is not an order of the completions")
        _require_distinct([rating.completion_id for rating in self.ratings], "ratings")
        for rating in self.ratings:
            require(rating.completion_id in ids, "ratings", f"names unknown completion {rating.completion_id}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Thumb:
    """A verdict on one completion alone: a thumb up or down, with nothing to set it against (KTO)."""

    id: str
    messages: tuple[Message, ...]
    completion: Completion
    up: bool
    reason: str | None = None
    trainer: str | None = None
    trainer_kind: TrainerKind = "person"
    given_at: str | None = None
    topic: str | None = None
    source: str | None = None
    split: Split | None = None

    def __post_init__(self) -> None:
        _require_prompt(self.messages)
        require(bool(self.completion.content), "completion", "is empty, so there is nothing to judge")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelServer:
    """An OpenAI-compatible server that samples for a policy. `kind` says how it spells what that API leaves open."""

    kind: ServerKind
    url: str
    model: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleRequest:
    """Ask for completions of one prompt. `attempt` is the fencing token that the answer must carry.

    `policy_path` is the policy's directory relative to the model store, `policy_sha256` the hash of
    its manifest; where a `server` samples for the policy, neither counts. With `stream_key` set, text
    is also written to that Redis stream as it is sampled. The i-th completion is sampled with seed
    `sampling.seed + i`, and with a later one where it was sampled again for being a duplicate.
    """

    run_id: str
    attempt: int
    purpose: Purpose
    policy: str
    policy_path: str
    messages: tuple[Message, ...]
    num_completions: int
    sampling: SamplingParams
    policy_sha256: str | None = None
    server: ModelServer | None = None
    as_role: Literal["user", "assistant"] = "assistant"
    stream_key: str | None = None
    screen: Screen | None = None
    is_visitors: bool = False  # of a preview's visitor: behind those who work here, before overnight work

    def __post_init__(self) -> None:
        require(self.num_completions >= 1, "num_completions", f"must be at least 1, not {self.num_completions}")
        require(self.attempt >= 1, "attempt", f"must be at least 1, not {self.attempt}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Resemblance:
    """Completion `index` of a result says much the same as an earlier one: cosine similarity, 1 for the same text."""

    index: int
    earlier: int
    similarity: float

    def __post_init__(self) -> None:
        require(0 <= self.earlier < self.index, "earlier", f"must come before {self.index}, not at {self.earlier}")


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleResult:
    """The sampler's answer. Either `completions` is whole or `error` says why there is none.

    With `is_blocked` what was said was blocked, and nothing was sampled. A completion that was blocked holds what was
    shown before, and ends with "filtered"; the rest of it is in `withheld`.
    """

    run_id: str
    attempt: int
    completions: tuple[Completion, ...] = ()
    resemblances: tuple[Resemblance, ...] = ()
    screenings: tuple[Screening, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    is_blocked: bool = False
    error: str | None = None
    seconds: float | None = None
    device: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbedRequest:
    """Ask for what texts mean, as vectors. `ids` say to the asker which text is which."""

    ids: tuple[str, ...]
    texts: tuple[str, ...]

    def __post_init__(self) -> None:
        require(len(self.ids) == len(self.texts), "texts", f"are {len(self.texts)} for {len(self.ids)} ids")


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbedResult:
    """A unit vector a text, in the order of `ids`; or `error` says why there are none."""

    ids: tuple[str, ...]
    vectors: tuple[tuple[float, ...], ...] = ()
    error: str | None = None

    def __post_init__(self) -> None:
        whole = self.error is not None or len(self.ids) == len(self.vectors)
        require(whole, "vectors", f"are {len(self.vectors)} for {len(self.ids)} ids")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRequest:
    """Ask for one training job. Paths are relative to the model store; `options` are command-line flags."""

    job_id: str
    attempt: int
    kind: TrainingKind
    data_path: str
    out_path: str
    model_path: str | None = None
    reward_path: str | None = None
    further_paths: dict[str, str] = field(default_factory=dict)
    ensemble_paths: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingProgress:
    """A sign of life of a running job: `fraction` done (0 to 1), its stage in a word, and the newest metrics."""

    job_id: str
    attempt: int
    fraction: float
    metrics: dict[str, float] = field(default_factory=dict)
    message: str | None = None
    stage: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingResult:
    """How a job ended. Either `manifest_sha256` names what was published or `error` says why not.

    `needs_other_settings`: the same job would fail in the same way, since its options or its data are at fault.
    """

    job_id: str
    attempt: int
    out_path: str
    manifest_sha256: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    needs_other_settings: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """What a worker says of itself while it lives (records.presence).

    `queue` is what it serves, several with commas between; `policies` are the store paths of those in memory, least
    recently used first; `servers` the hosts that it may call; `running` the ids of the sampling runs or training
    jobs that it is at. A worker beside the database has no device to speak of, and `running` names its tasks.
    """

    name: str
    queue: str
    device: str
    started_at: str
    policies: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    running: tuple[str, ...] = ()


def require_weak_order(tiers: tuple[tuple[str, ...], ...], ids: list[str]) -> None:
    """Raise ValueError unless every id is in exactly one tier and no tier is empty."""
    placed = [identifier for tier in tiers for identifier in tier]
    require(all(tiers), "tiers", "has an empty tier")
    _require_distinct(placed, "tiers")
    unknown = sorted(set(placed) - set(ids))
    require(not unknown, "tiers", f"names unknown completion {unknown[0] if unknown else ''}")
    missing = sorted(set(ids) - set(placed))
    require(not missing, "tiers", f"leaves out completion {missing[0] if missing else ''}")


def require_strengths(strengths: tuple[int, ...], tiers: tuple[tuple[str, ...], ...]) -> None:
    """Raise ValueError unless there is a strength from 1 to 3 for each two neighbouring tiers, or none at all."""
    fits = not strengths or (len(strengths) == len(tiers) - 1 and all(1 <= one <= 3 for one in strengths))
    require(fits, "strengths", f"must be 1, 2 or 3 for each of {len(tiers)} tiers but the last, not {strengths}")


def _require_prompt(messages: tuple[Message, ...]) -> None:
    require(len(messages) > 0, "messages", "is empty")
    require(messages[-1].role == "user", "messages", f"must end with a user message, not {messages[-1].role}")


def _require_distinct(ids: list[str], name: str) -> None:
    seen: set[str] = set()
    for identifier in ids:
        require(identifier not in seen, name, f"names completion {identifier} twice")
        seen.add(identifier)
