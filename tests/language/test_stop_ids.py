"""Several end tokens: a completion stops at the first of any, and what has no text is read by nobody."""

from pathlib import Path

import pytest
from transformers import PreTrainedModel

from language.chat import end_token_id
from language.checkpoints import load_causal_lm, load_tokenizer
from language.engine import Engine
from language.generation import Sampled, sample
from language.stop_ids import decode_text, hidden_ids, shown_ids, stop_ids_of
from policy.judging import as_completion
from records import SamplingParams
from tests.tiny import build_tiny_policy

PROMPT = (5, 6, 7, 8)
OTHER = 40
PARAMS = SamplingParams(max_new_tokens=40, seed=0, temperature=3.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedModel:
    return load_causal_lm(build_tiny_policy(tmp_path_factory.mktemp("tiny") / "policy"))


@pytest.fixture
def end(model: PreTrainedModel) -> int:
    """The template's own end token, with which the generation configuration names another one."""
    end = int(model.config.eos_token_id)
    model.generation_config.eos_token_id = [end, OTHER]
    return end


def require_first_stops(completions: list[Sampled], end: int) -> None:
    """Each stopped at the first end token of either kind, and says by which."""
    ends = {"stop": end, "other_stop": OTHER}
    assert {one.finish_reason for one in completions} == {*ends, "length"}
    for one in completions:
        assert not {end, OTHER}.intersection(one.token_ids[:-1])
        if one.finish_reason != "length":
            assert one.token_ids[-1] == ends[one.finish_reason]


def test_a_completion_stops_at_the_first_end_token_of_any(model: PreTrainedModel, end: int) -> None:
    require_first_stops(sample(model, PROMPT, num_completions=100, params=PARAMS, end_token_id=end), end)


def test_the_engine_stops_as_sampling_does(model: PreTrainedModel, end: int) -> None:
    engine = Engine(model, most_rows=100)
    ticket = engine.submit(PROMPT, num_completions=100, params=PARAMS, end_token_id=end)
    completions = ticket.result()
    engine.close()
    require_first_stops(completions, end)


def test_end_tokens_are_read_from_both_configurations_one_or_many(model: PreTrainedModel, end: int) -> None:
    assert stop_ids_of(model) == {end, OTHER}
    model.generation_config.eos_token_id = 7
    assert stop_ids_of(model) == {end, 7}
    model.generation_config.eos_token_id = None
    assert stop_ids_of(model) == {end}


def test_the_token_that_stopped_a_completion_is_no_part_of_its_text(model: PreTrainedModel, end: int) -> None:
    tokenizer = load_tokenizer(Path(model.name_or_path))
    word = tokenizer("sea", add_special_tokens=False)["input_ids"]
    plain = tokenizer.decode([OTHER])
    assert plain not in ("", *tokenizer.all_special_tokens)
    assert decode_text(tokenizer, [*word, OTHER], stop_ids_of(model)) == "sea"
    for reason, last, shown in (("other_stop", OTHER, "sea"), ("stop", end, "sea"), ("length", OTHER, "sea" + plain)):
        sampled = Sampled([*word, last], [-1.0] * (len(word) + 1), reason)  # type: ignore[arg-type]
        assert as_completion(sampled, tokenizer, "c", "p", PARAMS).content == shown


def test_what_is_shown_is_what_has_text_and_the_end_that_closes_it(model: PreTrainedModel, end: int) -> None:
    tokenizer = load_tokenizer(Path(model.name_or_path))
    assert end_token_id(tokenizer) == end
    hidden = hidden_ids(tokenizer)
    start = tokenizer.vocab["<|im_start|>"]
    assert hidden == {start, end, tokenizer.pad_token_id}
    assert shown_ids([start, 50, start, 51, end], hidden=hidden, end_token_id=end) == (50, 51, end)
    assert shown_ids([50, end, 51], hidden=hidden, end_token_id=end) == (50, 51)
    assert shown_ids([50, start], hidden=hidden, end_token_id=end) == (50,)
    kept = [50, 51, end]
    assert decode_text(tokenizer, [start, 50, start, 51, end], {end}) == decode_text(tokenizer, kept, {end})
