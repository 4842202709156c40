"""What the batching engine gives over plain `model.generate`, and what a person waits for their first token.

Both sides run the bundled policy in the number format that a sample worker would choose, and sample at
temperature 1 with nothing left out and no end token, so that both do the same number of tokens. `generate`
is called once per completion, as one would without an engine. On a CPU, work is counted by the seconds of
one core that it takes, which other people's work on the machine moves far less than it moves a clock.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from benchmarks.figures import Figure, ratio, summarise
from language.bundled import ensure_bundled_policy
from language.chat import render_prompt
from language.checkpoints import load_causal_lm, load_tokenizer
from language.cpu_linears import pack_linears
from language.engine import Engine, Ticket
from language.generation import default_dtype
from language.prefixes import PrefixCache
from records import Message, SamplingParams
from records.store import model_store

REPEATS = 3
TOKENS = 64
OVERNIGHT_ROWS = 32  # what a worker on a CPU fills
ASKED = 8  # first tokens, in each repeat and state

_TOPICS = ("bread", "the sea", "a broken bicycle", "tax forms", "cats", "the moon", "soup", "a long walk")
_WANTS = ("Explain what I should know about", "Write a short story about", "Give me three questions about")


@dataclass(frozen=True)
class Bench:
    """The bundled policy twice: as transformers loads it, and with layers packed as the sampler has them."""

    plain: PreTrainedModel
    packed: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @classmethod
    def load(cls) -> "Bench":
        directory, _ = ensure_bundled_policy(model_store())
        device = "cuda" if torch.cuda.is_available() else "cpu"
        plain, packed = (load_causal_lm(directory, dtype=default_dtype(device), device=device) for _ in range(2))
        plain.generation_config.eos_token_id = None
        pack_linears(packed)
        return cls(plain, packed, load_tokenizer(directory))

    def prompt(self, number: int, *, sentences: int = 4) -> list[int]:
        """The ids of one of many different prompts, of about 30 + 16 x `sentences` tokens."""
        words = f"{_WANTS[number % 3]} {_TOPICS[number % 8]}, in the way of number {number}. "
        rest = "I know a little already, but please begin at the very beginning. " * sentences
        return render_prompt(self.tokenizer, [Message(role="user", content=words + rest)])


Job = tuple[list[int], int, int]  # prompt, completions, tokens of each


def figures() -> Iterator[Figure]:
    """All figures of the group, in a few minutes."""
    torch.set_num_threads(1)  # two that share one core wait for each other
    bench = Bench.load()
    _warm_up(bench)
    for name, num_requests, num_completions in (("1x4", 1, 4), ("1x8", 1, 8), ("16x4", 16, 4)):
        jobs = [(bench.prompt(number), num_completions, TOKENS) for number in range(num_requests)]
        yield _speedup(bench, f"sampler.speedup_{name}", jobs, theirs=jobs[:1])
    mixed = [(bench.prompt(n, sentences=n % 8), 1 + n % 8, 16 + 16 * (n % 6)) for n in range(8)]
    yield _speedup(bench, "sampler.speedup_mixed", mixed, theirs=mixed[2:4])
    yield _roofline(bench)
    yield _first_token_under_load(bench)
    yield _prefix_reuse(bench)


def _warm_up(bench: Bench) -> None:
    _generate(bench, [(bench.prompt(0), 1, 8)])
    _engine(bench, [(bench.prompt(0), 4, 8)])


def _speedup(bench: Bench, name: str, jobs: Sequence[Job], *, theirs: Sequence[Job]) -> Figure:
    """`generate` takes one completion of each of `theirs`: its rate does not depend on how many follow."""
    lengths = [len(prompt) for prompt, _, _ in jobs]
    return ratio(
        name,
        lambda: _rate(bench, lambda: _engine(bench, jobs)),
        lambda: _rate(bench, lambda: _generate(bench, [(prompt, 1, tokens) for prompt, _, tokens in theirs])),
        repeats=REPEATS,
        measured=_measured(bench, "tokens"),
        prompt_tokens=[min(lengths), max(lengths)],
        new_tokens=sorted({tokens for _, _, tokens in jobs}),
        **_facts(bench),
    )


def _engine(bench: Bench, jobs: Sequence[Job]) -> int:
    """All jobs at once through an engine; returns how many tokens were sampled."""
    engine = Engine(bench.packed, most_rows=64)
    tickets = [_ask(engine, *job, urgent=False) for job in jobs]
    sampled = sum(len(completion.token_ids) for ticket in tickets for completion in ticket.result())
    engine.close()
    return sampled


def _generate(bench: Bench, jobs: Sequence[Job]) -> int:
    """Each completion by a call of its own."""
    sampled = 0
    for prompt, num_completions, tokens in jobs:
        for _ in range(num_completions):
            ids = torch.tensor([prompt], device=bench.plain.device)
            out: Any = bench.plain.generate(  # type: ignore[operator]
                ids, attention_mask=torch.ones_like(ids), do_sample=True, temperature=1.0, top_k=0, top_p=1.0,
                max_new_tokens=tokens, pad_token_id=bench.tokenizer.pad_token_id,
            )  # fmt: skip
            sampled += out.shape[1] - len(prompt)
    assert sampled == sum(num * tokens for _, num, tokens in jobs)
    return sampled


def _ask(
    engine: Engine, prompt: list[int], num_completions: int, tokens: int, *, urgent: bool, listens: bool = False
) -> Ticket:
    how = SamplingParams(max_new_tokens=tokens, seed=len(prompt))
    return engine.submit(
        prompt, num_completions=num_completions, params=how, end_token_id=-1, urgent=urgent, listens=listens
    )


def _roofline(bench: Bench) -> Figure:
    """Bytes of weights read a second while one completion is sampled, over what a plain sum reads."""
    num_bytes = sum(parameter.nbytes for parameter in bench.plain.parameters())
    block = torch.ones(2**28, dtype=torch.float32, device=bench.plain.device)  # 1 GiB: beyond any cache
    return ratio(
        "sampler.roofline",
        lambda: _rate(bench, lambda: _engine(bench, [(bench.prompt(0), 1, TOKENS)])) * num_bytes / 1e9,
        lambda: _rate(bench, lambda: int(block.nbytes * (block.sum() > 0))) / 1e9,
        repeats=REPEATS,
        unit="share",
        measured=_measured(bench, "GB"),
        **_facts(bench),
    )


def _first_token_under_load(bench: Bench) -> Figure:
    """How long a person waits for the first of three suggestions, overnight work filling the engine over idle."""
    ratios, idle, loaded = [], [], []
    for _ in range(REPEATS):
        engine = Engine(bench.packed, most_rows=OVERNIGHT_ROWS)
        alone = [_wait(bench, engine, number) for number in range(ASKED)]
        night = [_ask(engine, bench.prompt(n), 4, 1500, urgent=False) for n in range(OVERNIGHT_ROWS // 4 + 4)]
        while not all(ticket.rows[0].token_ids for ticket in night[: OVERNIGHT_ROWS // 4]):
            time.sleep(0.05)
        beside = [_wait(bench, engine, number) for number in range(ASKED)]
        engine.halt()
        ratios.append(statistics.median(beside) / statistics.median(alone))
        idle += alone
        loaded += beside
    return summarise(
        "sampler.first_token_under_load",
        ratios,
        unit="times",
        idle_seconds=_percentiles(idle),
        loaded_seconds=_percentiles(loaded),
        overnight_rows=OVERNIGHT_ROWS,
        **_facts(bench),
    )


def _wait(bench: Bench, engine: Engine, number: int) -> float:
    began = time.perf_counter()
    ticket = _ask(engine, bench.prompt(number), 3, 8, urgent=True, listens=True)
    ticket.wait()
    waited = time.perf_counter() - began
    ticket.cancel()
    ticket.result()
    return waited


def _prefix_reuse(bench: Bench) -> Figure:
    """How long the third turn of a dialogue waits for its first token, its prefix computed afresh over kept."""
    ratios, afresh, kept = [], [], []
    for _ in range(REPEATS):
        afresh.append(_third_turn(bench, Engine(bench.packed)))
        kept.append(_third_turn(bench, Engine(bench.packed, prefixes=PrefixCache(2**29).of("bundled"))))
        ratios.append(afresh[-1][0] / kept[-1][0])
    return summarise(
        "sampler.prefix_reuse",
        ratios,
        unit="times",
        afresh_seconds=[round(seconds, 3) for seconds, _ in afresh],
        kept_seconds=[round(seconds, 3) for seconds, _ in kept],
        prompt_tokens=kept[-1][1],
        **_facts(bench),
    )


def _third_turn(bench: Bench, engine: Engine) -> tuple[float, int]:
    """Seconds to the first token of the third answer, and how long its prompt was."""
    prompt: list[int] = []
    for turn in range(3):
        prompt = [*prompt, *bench.prompt(turn, sentences=1)]
        began = time.perf_counter()
        ticket = _ask(engine, prompt, 1, TOKENS // 2, urgent=True, listens=True)
        ticket.wait()
        waited = time.perf_counter() - began
        length, prompt = len(prompt), [*prompt, *ticket.result()[0].token_ids]
    engine.close()
    return waited, length


def _rate(bench: Bench, work: Callable[[], int]) -> float:
    """Units of work a second of the GPU's clock, or of one core's time."""
    clock = time.perf_counter if bench.plain.device.type == "cuda" else time.process_time
    began = clock()
    return work() / (clock() - began)


def _measured(bench: Bench, unit: str) -> str:
    return f"{unit} a second" if bench.plain.device.type == "cuda" else f"{unit} a second of one core"


def _percentiles(seconds: list[float]) -> dict[str, float]:
    """Median and 95th percentile, in seconds."""
    return {"p50": round(statistics.median(seconds), 3), "p95": round(statistics.quantiles(seconds, n=20)[-1], 3)}


def _facts(bench: Bench) -> dict[str, Any]:
    return {
        "dtype": str(bench.plain.dtype).removeprefix("torch."),
        "device": str(bench.plain.device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
