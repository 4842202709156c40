"""Sampling runs in every state, and a look at what was sent for them, for tests."""

import base64
import json
from datetime import timedelta
from typing import Any

import redis
from django.utils import timezone

from labeling.models import Comparison, Project, SamplingRun
from records import Completion, SampleResult
from tests.labeling.factories import make_run

QUEUES = {"urgent": "sample", "overnight": "sample\x06\x169"}
PROMPT = [{"role": "user", "content": "Hello?"}]
State = SamplingRun.State


def messages_in(broker: redis.Redis, queue: str) -> list[dict[str, Any]]:
    """What was sent, oldest first: the request, and where its answers go."""
    sent = []
    for raw in reversed(broker.lrange(QUEUES[queue], 0, -1)):  # type: ignore[arg-type]
        args, kwargs, embed = json.loads(base64.b64decode(json.loads(raw)["body"]))
        assert args == []
        sent.append({**kwargs, "answers": embed["callbacks"], "failures": embed["errbacks"]})
    return sent


def waiting_comparison(project: Project, **fields: Any) -> Comparison:
    values = {"state": Comparison.State.SAMPLING, "messages": PROMPT, "prompt_sha256": "0" * 64, **fields}
    return Comparison.objects.create(project=project, **values)


def sent_run(project: Project, **fields: Any) -> SamplingRun:
    values = {"state": State.SENT, "attempt": 1, "sent_at": timezone.now(), "lease_until": in_a_minute(), **fields}
    return make_run(project=project, **values)


def in_a_minute() -> Any:
    return timezone.now() + timedelta(minutes=1)


def a_minute_ago() -> Any:
    return timezone.now() - timedelta(minutes=1)


def completions(*contents: str, finish_reason: str = "stop") -> tuple[Completion, ...]:
    return tuple(
        Completion(id=f"c{i}", content=content, finish_reason=finish_reason, num_tokens=3, logprob=-1.5)  # type: ignore[arg-type]
        for i, content in enumerate(contents)
    )


def result_for(run: SamplingRun, *contents: str, attempt: int | None = None, **fields: Any) -> SampleResult:
    attempt = run.attempt if attempt is None else attempt
    return SampleResult(run_id=str(run.id), attempt=attempt, completions=completions(*contents), **fields)
