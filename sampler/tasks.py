"""The sampler's door: decode a request, answer it, encode the answer. Celery hands it on to labeling."""

from typing import Any

from records import SampleRequest, decode, encode
from records.names import SAMPLE
from sampler.app import app
from sampler.sampling import answer


@app.task(name=SAMPLE)
def sample(*, request: dict[str, Any]) -> dict[str, Any]:
    """Sample the completions of a SampleRequest; returns a SampleResult."""
    return encode(answer(decode(SampleRequest, request)))
