"""The engine: requests of many threads in one batch, people first, nothing starved, nothing lost."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from language.checkpoints import load_causal_lm
from language.decoding import Row
from language.engine import Engine, EngineError, Ticket
from language.generation import sample
from language.lanes import Lane
from language.prefixes import PrefixCache
from records import SamplingParams

ROOT = Path(__file__).parents[2]
NEVER = -1
LONG = list(range(5, 45))
PROMPTS = [[5], [6, 7, 8, 9, 10, 11, 12, 13], [5, 6, 7], [20, 21, 22]]


@pytest.fixture
def model(tiny_policy: Path) -> PreTrainedModel:
    return load_causal_lm(tiny_policy)


@pytest.fixture
def engine(model: PreTrainedModel) -> Iterator[Engine]:
    engine = Engine(model, most_rows=8)
    yield engine
    engine.close()


def ask(engine: Engine, prompt: list[int], *, tokens: int = 30, rows: int = 2, seed: int = 1, **who: bool) -> Ticket:
    how = SamplingParams(max_new_tokens=tokens, seed=seed)
    return engine.submit(prompt, num_completions=rows, params=how, end_token_id=NEVER, listens=True, **who)


def test_requests_of_many_threads_come_out_as_if_each_were_alone(engine: Engine, model: PreTrainedModel) -> None:
    results: dict[int, list[list[int]]] = {}

    def request(number: int) -> None:
        ticket = ask(engine, PROMPTS[number % 4], seed=number, urgent=number % 3 == 0)
        results[number] = [completion.token_ids for completion in ticket.result()]

    threads = [threading.Thread(target=request, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    for number in range(12):
        how = SamplingParams(max_new_tokens=30, seed=number)
        alone = sample(model, PROMPTS[number % 4], num_completions=2, params=how, end_token_id=NEVER)
        assert results[number] == [completion.token_ids for completion in alone]


def test_a_newcomer_joins_the_running_batch(engine: Engine, model: PreTrainedModel) -> None:
    widths: list[int] = []
    model.register_forward_pre_hook(lambda _, __, kwargs: widths.append(len(kwargs["input_ids"])), with_kwargs=True)
    first = ask(engine, PROMPTS[0], tokens=400)
    assert first.wait()
    second = ask(engine, PROMPTS[1], tokens=5)
    second.result()
    assert not first.ended
    assert 4 in widths
    first.cancel()


def test_news_come_in_order_and_join_to_the_result(engine: Engine) -> None:
    ticket = ask(engine, PROMPTS[0], tokens=40)
    heard: list[list[int]] = [[], []]
    while news := ticket.wait():
        for index, ids in news:
            heard[index] += ids
    assert heard == [completion.token_ids for completion in ticket.result()]


def test_a_person_comes_before_overnight_work_even_in_a_full_batch(engine: Engine) -> None:
    overnight = [ask(engine, PROMPTS[0], tokens=300, rows=4, urgent=False) for _ in range(6)]
    assert overnight[0].wait()
    person = ask(engine, PROMPTS[1], tokens=3, rows=1)
    person.result()
    assert sum(ticket.ended for ticket in overnight) == 0
    assert all(not ticket.rows[0].token_ids for ticket in overnight[2:])  # they did wait for room
    for ticket in overnight:
        ticket.cancel()


def test_visitors_wait_for_room_and_people_do_not(engine: Engine) -> None:
    visitors = [ask(engine, PROMPTS[0], tokens=300, rows=4, is_visitors=True) for _ in range(4)]
    assert visitors[0].wait()
    person = ask(engine, PROMPTS[1], tokens=3, rows=1)
    person.result()
    assert sum(ticket.ended for ticket in visitors) == 0
    assert all(not ticket.rows[0].token_ids for ticket in visitors[2:])
    for ticket in visitors:
        ticket.cancel()


def test_a_visitor_who_wants_more_rows_than_there_are_is_answered_alone(engine: Engine) -> None:
    assert len(ask(engine, PROMPTS[0], tokens=3, rows=9, is_visitors=True).result()) == 9


def test_visitors_come_before_overnight_work_and_starve_none(engine: Engine) -> None:
    running = ask(engine, PROMPTS[0], tokens=400, rows=8)
    assert running.wait()
    night = [ask(engine, PROMPTS[1], tokens=400, rows=4, urgent=False) for _ in range(2)]
    visitor = ask(engine, PROMPTS[2], tokens=3, rows=4, is_visitors=True)
    assert night[0].wait()  # one of the night is always under way
    running.cancel()
    visitor.result()
    assert not night[1].rows[0].token_ids
    for ticket in night:
        ticket.cancel()


def test_overnight_work_is_not_starved_by_people(engine: Engine) -> None:
    stop = threading.Event()

    def keep_asking() -> None:
        while not stop.is_set():
            ask(engine, PROMPTS[0], tokens=20, rows=8).result()

    people = [threading.Thread(target=keep_asking) for _ in range(3)]
    for thread in people:
        thread.start()
    time.sleep(0.2)
    overnight = ask(engine, PROMPTS[1], tokens=20, rows=2, urgent=False)
    overnight.result()
    assert all(thread.is_alive() for thread in people)
    stop.set()
    for thread in people:
        thread.join(timeout=30)


def test_cancelling_ends_within_a_token_or_two_and_leaves_the_others(engine: Engine) -> None:
    one, two = ask(engine, PROMPTS[0], tokens=400), ask(engine, PROMPTS[1], tokens=40)
    one.wait()
    before = len(one.rows[0].token_ids)
    one.cancel()
    completions = one.result()
    assert {completion.finish_reason for completion in completions} == {"cancelled"}
    assert len(completions[0].token_ids) - before < 20  # the tiny model samples a token in a millisecond
    assert {completion.finish_reason for completion in two.result()} == {"length"}


def test_one_completion_can_be_ended_and_the_others_go_on(engine: Engine) -> None:
    ticket = ask(engine, PROMPTS[0], tokens=120)
    ticket.wait()
    ticket.stop(1)
    other, stopped = ticket.result()
    assert (other.finish_reason, len(other.token_ids)) == ("length", 120)
    assert stopped.finish_reason == "cancelled"
    assert stopped.token_ids == other_tokens(engine, 1, len(stopped.token_ids))


def other_tokens(engine: Engine, index: int, count: int) -> list[int]:
    """What the completion at this place begins with where nobody ends it."""
    return ask(engine, PROMPTS[0], tokens=120).result()[index].token_ids[:count]


def test_who_listens_need_not_wait_longer_than_they_say() -> None:
    row = Row(SamplingParams(), end_token_id=NEVER, seed=0, most_tokens=9)
    ticket = Ticket(PROMPTS[0], [row], lane=Lane.PEOPLE, listens=True)  # which no engine samples
    assert ticket.wait(0.05) == []
    assert not ticket.ended


def test_what_is_cancelled_before_it_began_ends_too(engine: Engine) -> None:
    running = ask(engine, PROMPTS[0], tokens=400, rows=8, urgent=False)
    waiting = ask(engine, PROMPTS[1], tokens=400, rows=8, urgent=False)
    waiting.cancel()
    assert [completion.token_ids for completion in waiting.result()] == [[]] * 8
    running.cancel()


def test_a_prompt_that_does_not_fit_is_refused_at_the_door(engine: Engine) -> None:
    with pytest.raises(ValueError, match="shorten the dialogue"):
        ask(engine, [5] * 600)


def test_a_closed_engine_finishes_what_it_has_and_takes_no_more(engine: Engine) -> None:
    ticket = ask(engine, PROMPTS[0], tokens=50)
    engine.close()
    assert {completion.finish_reason for completion in ticket.result()} == {"length"}
    with pytest.raises(EngineError, match="closed"):
        ask(engine, PROMPTS[0])


def limited(model: PreTrainedModel, most_rows: int, error: Exception) -> None:
    """Have the model run out of memory as a GPU would, whenever more rows come than fit."""

    def check(_: object, __: object, kwargs: dict[str, Any]) -> None:
        if len(kwargs["input_ids"]) > most_rows:
            raise error

    model.register_forward_pre_hook(check, with_kwargs=True)


def test_out_of_memory_halves_the_batch_and_goes_on(
    engine: Engine, model: PreTrainedModel, caplog: pytest.LogCaptureFixture
) -> None:
    expected = {
        number: sample(model, PROMPTS[number], num_completions=2, end_token_id=NEVER,
                       params=SamplingParams(max_new_tokens=30, seed=number))
        for number in range(4)
    }  # fmt: skip
    limited(model, 4, torch.OutOfMemoryError("CUDA out of memory"))
    tickets = [ask(engine, PROMPTS[number], seed=number, urgent=False) for number in range(4)]
    for number, ticket in enumerate(tickets):
        got = [completion.token_ids for completion in ticket.result()]
        assert got == [completion.token_ids for completion in expected[number]]
    assert re.search(r"out of memory: (\d) completions at once from now on; PARLEY_SAMPLER_ROWS=\1 begins", caplog.text)


@pytest.fixture
def prefixes() -> PrefixCache:
    return PrefixCache(max_bytes=1 << 20)


@pytest.fixture
def remembering(model: PreTrainedModel, prefixes: PrefixCache) -> Iterator[Engine]:
    engine = Engine(model, prefixes=prefixes.of("tiny"))
    ask(engine, LONG, rows=1, tokens=40).result()
    assert prefixes.num_bytes > 0
    yield engine
    engine.close()


def test_a_lone_request_is_tried_again_when_kept_prefixes_were_given_back(
    remembering: Engine, model: PreTrainedModel, prefixes: PrefixCache
) -> None:
    before, failures = prefixes.num_bytes, []

    def check(*_: object) -> None:
        if prefixes.num_bytes >= before:
            failures.append(1)
            raise torch.OutOfMemoryError("CUDA out of memory")

    model.register_forward_pre_hook(check)
    how = SamplingParams(max_new_tokens=30, seed=1)
    got = ask(remembering, PROMPTS[1], rows=2).result()
    expected = sample(model, PROMPTS[1], num_completions=2, params=how, end_token_id=NEVER)
    assert [one.token_ids for one in got] == [one.token_ids for one in expected]
    assert failures == [1]


def test_a_lone_request_that_still_does_not_fit_is_given_up(remembering: Engine, model: PreTrainedModel) -> None:
    """Its own prompt is kept as it joins: there is always something to give back, and yet an end."""
    limited(model, 4, torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(EngineError, match="sampling broke off: CUDA out of memory"):
        ask(remembering, LONG[::-1], rows=6).result()
    assert len(ask(remembering, PROMPTS[1], rows=2).result()) == 2


def test_an_error_reaches_those_it_concerns_and_the_engine_lives_on(engine: Engine, model: PreTrainedModel) -> None:
    limited(model, 4, torch.OutOfMemoryError("CUDA out of memory"))
    too_wide = ask(engine, PROMPTS[0], rows=6)
    with pytest.raises(EngineError, match="sampling broke off: CUDA out of memory"):
        too_wide.result()
    assert len(ask(engine, PROMPTS[1], rows=2).result()) == 2


def test_a_process_that_ends_in_the_midst_of_sampling_ends_cleanly(tiny_policy: Path) -> None:
    program = f"""
from language.checkpoints import load_causal_lm
from language.engine import Engine
from records import SamplingParams
ticket = Engine(load_causal_lm({str(tiny_policy)!r})).submit(
    [5], num_completions=8, params=SamplingParams(max_new_tokens=500), end_token_id=-1, listens=True)
print(len(ticket.wait()))
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stderr) == (0, "")
