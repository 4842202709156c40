"""What a sample worker with a content filter sends back, for tests of what the platform makes of it."""

from hashlib import sha256
from typing import Any

from labeling.models import SamplingRun
from records import Completion, SampleResult, Screening, Withheld

WITHHELD = "zanzibar-withheld"  # stands in what was withheld, and nowhere else
FILTER = "bundled"


def saw(side: str, verdict: str, text: str, **fields: Any) -> Screening:
    """One screening, which acted unless it passed."""
    values: dict[str, Any] = {"category": None if verdict == "pass" else "S", "acted": verdict in ("warn", "block")}
    digest = sha256(text.encode()).hexdigest()
    values |= {"filter": FILTER, "probabilities": {"S": 0.9}, "milliseconds": 3.5, **fields}
    return Screening(side=side, verdict=verdict, text_sha256=digest, **values)  # type: ignore[arg-type]


def blocked_result(run: SamplingRun, **fields: Any) -> SampleResult:
    """What was said was blocked: nothing was sampled."""
    said = saw("said", "block", run.messages[-1]["content"], **fields)
    return SampleResult(run_id=str(run.id), attempt=run.attempt, screenings=(said,), is_blocked=True)


def screened_result(run: SamplingRun, *verdicts: tuple[str, str], attempt: int | None = None) -> SampleResult:
    """Completions as (text shown, verdict); one that was blocked ends there, and what was to follow is withheld."""
    completions, screenings, withheld = [], [saw("said", "pass", run.messages[-1]["content"])], []
    for index, (text, verdict) in enumerate(verdicts):
        reason = "filtered" if verdict == "block" else "stop"
        completions.append(Completion(id=f"c{index}", content=text, finish_reason=reason))  # type: ignore[arg-type]
        screenings.append(saw("answered", verdict, text, index=index, end=len(text)))
        if verdict == "block":
            withheld.append(Withheld(index=index, content=f" {WITHHELD} {index}"))
    return SampleResult(
        run_id=str(run.id),
        attempt=run.attempt if attempt is None else attempt,
        completions=tuple(completions),
        screenings=tuple(screenings),
        withheld=tuple(withheld),
    )
