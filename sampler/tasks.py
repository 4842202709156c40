"""The sampler's doors: decode a request, answer it, encode the answer. Celery hands it on to labeling."""

from typing import Any

from records import EmbedRequest, SampleRequest, ScreenRequest, decode, encode
from records.names import EMBED, SAMPLE, SCREEN
from sampler import embedding
from sampler.app import app
from sampler.sampling import answerer
from sampler.screening import requests


@app.task(name=SAMPLE)
def sample(*, request: dict[str, Any]) -> dict[str, Any]:
    """Sample the completions of a SampleRequest; returns a SampleResult."""
    return encode(answerer(app).answer(decode(SampleRequest, request)))


@app.task(name=EMBED)
def embed(*, request: dict[str, Any]) -> dict[str, Any]:
    """Embed the texts of an EmbedRequest; returns an EmbedResult."""
    return encode(embedding.embed(decode(EmbedRequest, request)))


@app.task(name=SCREEN)
def screen(*, request: dict[str, Any]) -> dict[str, Any]:
    """Look at the texts of a ScreenRequest; returns a ScreenResult."""
    return encode(requests.screen(decode(ScreenRequest, request)))
