"""What the content filter costs whoever chats: before the first text, and over a whole answer.

The bundled filter on one core, and the bundled policy as a sample worker runs it, both as they are without a message
broker. Times are by the clock: they say what a person waits on this machine, whatever else it does.
"""

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace

import torch

from benchmarks.figures import Figure, summarise
from language.bundled import ensure_bundled_policy
from records import Message, SampleRequest, SamplingParams, Screen
from records.store import model_store
from sampler.backends.local import LocalBackend
from sampler.configuration import configuration
from sampler.runs import Run
from sampler.screening.door import Door
from sampler.screening.loading import Filters
from sampler.screening.looking import Look, looked_at, said
from sampler.screening.seeing import TextFilter

REPEATS = 5
LOOKS = 120  # in each repeat
PAIRS = 16  # of answers
TOKENS = 96
LONGEST = 400  # characters

_SCREEN = Screen(filter="bundled", rules_version=0)
_TOPICS = ("bread", "the sea", "a broken bicycle", "tax forms", "cats", "the moon", "soup", "a long walk")
_ANSWER = "There is more to say about {} than most people think, so let us begin with what is simple. "


def figures() -> Iterator[Figure]:
    """preview.filter_p95_ms, preview.filter_whole_run."""
    torch.set_num_threads(1)
    content_filter = Filters(configuration()).get(_SCREEN)
    content_filter.look(["A first look."])
    yield _before_the_first_text(content_filter)
    yield _whole_run(content_filter)


def _before_the_first_text(content_filter: TextFilter) -> Figure:
    """The look at a message of up to 400 characters, and that at the first sentence of its answer."""
    repeats = [_waits(content_filter) for _ in range(REPEATS)]
    by_clock = [[1000 * clock for clock, _ in waits] for waits in repeats]
    core = [1000 * core for waits in repeats for _, core in waits]
    return summarise(
        "preview.filter_p95_ms",
        [round(_p95(waits), 1) for waits in by_clock],
        unit="ms",
        p50=[round(statistics.median(waits), 1) for waits in by_clock],
        one_core_ms={"p50": round(statistics.median(core), 1), "p95": round(_p95(core), 1)},
        characters=LONGEST,
        waits=LOOKS * REPEATS,
    )


def _waits(content_filter: TextFilter) -> list[tuple[float, float]]:
    """Of each of many first texts the seconds by the clock, and of this thread's core, which others cannot take."""
    found = []
    for number in range(LOOKS):
        message = [Message(role="user", content=_message(number))]
        answer = _ANSWER.format(_TOPICS[number % 8])
        began, began_core = time.perf_counter(), time.thread_time()
        said(message, content_filter, _SCREEN)
        looked_at([Look("answered", answer, 0, len(answer))], content_filter, _SCREEN)
        found.append((time.perf_counter() - began, time.thread_time() - began_core))
    return found


def _whole_run(content_filter: TextFilter) -> Figure:
    """A whole answer of the bundled policy, with the filter over without: pairs, in both orders."""
    directory, _ = ensure_bundled_policy(model_store())
    path = str(directory.relative_to(model_store()))
    backend = LocalBackend(replace(configuration(), prefix_bytes=0))  # or the second of a pair would be the quicker
    _answer(backend, _request(0, path), None)
    ratios, of_core, seconds = [], [], []
    for number in range(PAIRS):
        clock, core = {}, {}
        for is_screened in (True, False) if number % 2 else (False, True):
            began, began_core = time.perf_counter(), time.process_time()
            _answer(backend, _request(number, path), content_filter if is_screened else None)
            clock[is_screened] = time.perf_counter() - began
            core[is_screened] = time.process_time() - began_core
        ratios.append(round(clock[True] / clock[False], 3))
        of_core.append(core[True] / core[False])
        seconds.append(clock[False])
    detail = {"pairs": ratios, "cpu_seconds": round(statistics.median(of_core), 3)}
    without = round(statistics.median(seconds), 2)
    return summarise("preview.filter_whole_run", ratios, unit="times", tokens=TOKENS, seconds_without=without, **detail)


def _request(number: int, path: str) -> SampleRequest:
    return SampleRequest(
        run_id=f"bench-{number}", attempt=1, purpose="chat", policy="bundled", policy_path=path,
        messages=(Message(role="user", content=_message(number)),), num_completions=1,
        sampling=SamplingParams(temperature=0.5, max_new_tokens=TOKENS, seed=number),
    )  # fmt: skip


def _answer(backend: LocalBackend, request: SampleRequest, content_filter: TextFilter | None) -> None:
    """As sampler.answering does it, without a stream."""
    run = Run(request.run_id, 1)
    if content_filter is None:
        backend.sample(request, run, on_text=lambda *_: None)
        return
    screen = replace(_SCREEN)
    said(request.messages, content_filter, screen)
    door = Door(content_filter, screen, num_completions=1, write=lambda *_: None)
    door.finish(backend.sample(request, run, on_text=door.on_text))


def _message(number: int) -> str:
    """One of many messages of 360 to 400 characters."""
    words = f"Please tell me about {_TOPICS[number % 8]}, for the {number}th time. "
    rest = "I know a little already, but begin at the very beginning and leave nothing out that a child would ask. "
    return (words + rest * 4)[: LONGEST - number % 40].strip()


def _p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]
