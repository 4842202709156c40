"""Plays the sampler's part on the wire: what it writes to the broker's stream, and the result it sends back.

For tests of what stands on this side of the wire. The sampler itself is tested with a model of its own.
"""

import time

import redis
from django.conf import settings

from labeling.dialogues.answers import record_completions
from labeling.models import SamplingRun
from labeling.sampling.runs import record_started
from records import Completion, SampleResult
from records.names import stream_key


def wait_for_run(*, purpose: str, seconds: float = 30.0) -> SamplingRun:
    """The newest run of this purpose that was sent and not begun, once there is one."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        runs = SamplingRun.objects.filter(purpose=purpose, state=SamplingRun.State.SENT)
        if (run := runs.order_by("-created_at").first()) is not None:
            return run
        time.sleep(0.05)
    raise AssertionError(f"nobody asked for a {purpose} within {seconds} s")


def stream_words(run: SamplingRun, *, index: int, text: str) -> None:
    """Write a text to the run's stream, word by word, as the sampler does."""
    with _broker() as broker:
        for word in text.split(" "):
            broker.xadd(stream_key(str(run.id), run.attempt), {"index": index, "text": f"{word} "})


def finish_stream(run: SamplingRun) -> None:
    with _broker() as broker:
        broker.xadd(stream_key(str(run.id), run.attempt), {"done": "1"})


def answer(run: SamplingRun, *texts: str) -> None:
    """Begin, stream every text, and send the result."""
    record_started(run.id, run.attempt)
    for index, text in enumerate(texts):
        stream_words(run, index=index, text=text)
    finish_stream(run)
    send_result(run, *texts)


def send_result(run: SamplingRun, *texts: str, finish_reason: str = "stop") -> bool:
    completions = tuple(
        Completion(id=f"c{index}", content=text, policy=run.policy.name, finish_reason=finish_reason, num_tokens=4)  # type: ignore[arg-type]
        for index, text in enumerate(texts)
    )
    return record_completions(
        SampleResult(run_id=str(run.id), attempt=run.attempt, completions=completions, seconds=0.1, device="cpu")
    )


def _broker() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL)
