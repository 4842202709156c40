"""Text as it comes: whole characters, in order, nothing twice."""

from collections.abc import Iterator

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from language.stop_ids import decode_text
from sampler.streaming import Stream, TextSoFar
from tests.tiny import build_tiny_tokenizer

TOKENIZER = build_tiny_tokenizer()
END = (TOKENIZER.eos_token_id,)
ids = st.lists(st.one_of(st.integers(0, len(TOKENIZER) - 1), st.sampled_from(TOKENIZER("é€😀")["input_ids"])))


@given(ids, st.integers(1, 5))
def test_pieces_join_to_the_whole_text(token_ids: list[int], size: int) -> None:
    text = TextSoFar(TOKENIZER, END)
    pieces = [text.add(token_ids[start : start + size]) for start in range(0, len(token_ids), size)]
    assert "".join([*pieces, text.rest()]) == decode_text(TOKENIZER, token_ids, END)


def test_a_character_comes_when_its_last_byte_does() -> None:
    smile = TOKENIZER("😀")["input_ids"]
    assert len(smile) > 1
    text = TextSoFar(TOKENIZER, END)
    assert [text.add([token]) for token in smile] == [""] * (len(smile) - 1) + ["😀"]


def test_half_a_character_at_the_end_is_shown_as_such() -> None:
    text = TextSoFar(TOKENIZER, END)
    assert text.add(TOKENIZER("😀")["input_ids"][:-1]) == ""
    assert text.rest() == "\ufffd"


def test_the_end_token_and_nul_are_not_part_of_the_text() -> None:
    token_ids = [*TOKENIZER("a\x00b")["input_ids"], *END]
    assert decode_text(TOKENIZER, token_ids, END) == "a\ufffdb"


@pytest.fixture
def client(broker_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(broker_url, decode_responses=True) as client:
        client.delete("parley:stream:test")
        yield client


def test_texts_of_a_moment_are_joined_and_the_last_entry_says_that_it_is(client: redis.Redis) -> None:
    stream = Stream(client, "parley:stream:test")
    for letter in "Hello":
        stream.write(0, letter)
    stream.write(1, "Hi")
    stream.finish()
    assert [fields for _, fields in client.xrange("parley:stream:test")] == [
        {"index": "0", "text": "H"},
        {"index": "0", "text": "ello"},
        {"index": "1", "text": "Hi"},
        {"done": "1"},
    ]


def test_with_the_broker_away_sampling_is_not_disturbed(caplog: pytest.LogCaptureFixture) -> None:
    stream = Stream(redis.Redis(host="127.0.0.1", port=1, socket_connect_timeout=1), "parley:stream:test")
    stream.write(0, "Hello")
    stream.finish()
    assert caplog.text.count("the broker is away") == 1
