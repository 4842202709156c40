"""Once round the loop from a script: exports, a reward model, PPO or another way to a policy, and people's verdict.

A promotion follows if they say so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from parley.client import Client, OnProgress, Row
from parley.connection import ParleyError

# The ways to a policy: the export that each learns from.
LEARNS_FROM = {
    "ppo": "prompts",
    "rloo": "prompts",
    "dpo": "rankings",
    "kto": "thumbs",
    "rejection_sampling": "prompts",
}


@dataclass(frozen=True, kw_only=True)
class Retraining:
    """What a retraining does. Options of the two jobs are those of their forms; what is left out they propose.

    `by` is the way to the policy; dpo and kto take no reward model, so that none is trained for them.
    `policy` names the one to start from, the project's by default. `num_prompts` and `share` are the evaluation's;
    without `asks_people` nobody judges. With `promotes` a policy that people call better answers from then on.
    """

    project: str
    policy: str | None = None
    filters: Row = field(default_factory=dict)
    reward_options: Mapping[str, Any] = field(default_factory=dict)
    by: str = "ppo"
    policy_options: Mapping[str, Any] = field(default_factory=dict)
    asks_people: bool = True
    num_prompts: int = 200
    share: float = 0.5
    promotes: bool = False
    every: float = 10.0  # seconds between two looks


def retrain(client: Client, plan: Retraining, *, on_progress: OnProgress | None = None) -> Iterator[Row]:
    """Do the steps and yield a row for each as it ends: {"step", "name", "result"}.

    Raises ParleyError where a step fails; what was made before stays, and another run makes new models beside it.
    """
    if plan.by not in LEARNS_FROM:
        raise ParleyError(0, plan.by, "makes no policy.", f"Choose one of {', '.join(LEARNS_FROM)}.")
    start, learns_from = _policy_id(client, plan), LEARNS_FROM[plan.by]
    is_scored = learns_from == "prompts"
    exports = {}
    for kind in ("rankings", "prompts") if is_scored else (learns_from,):
        exports[kind] = _export(client, plan, kind, on_progress)
        yield _row("export", kind, f"{exports[kind]['num_records']} records")
    inputs = {}
    if is_scored:
        judge = _train(client, plan, on_progress, "reward_model", start, exports["rankings"], plan.reward_options)
        inputs["reward_model_id"] = next(client.reward_models(name=judge["output_name"]))["id"]
        yield _row("reward model", judge["output_name"], _figure(judge, "accuracy"))
    job = _train(client, plan, on_progress, plan.by, start, exports[learns_from], plan.policy_options, **inputs)
    policy = next(client.policies(name=job["output_name"]))
    yield _row(plan.by.replace("_", " "), policy["name"], _figure(job, "reward"))
    if not plan.asks_people:
        return
    evaluation = client.begin_evaluation(plan.project, [policy["id"]], num_prompts=plan.num_prompts, share=plan.share)
    yield _row("ask people", policy["name"], f"against {evaluation['baseline']}")
    decided = client.wait_for_verdict(plan.project, evaluation["id"], every=plan.every, on_progress=on_progress)
    verdict = decided["candidates"][0]["verdict"] if decided["state"] == "decided" else decided["state"]
    yield _row("verdict", policy["name"], verdict)
    if plan.promotes and verdict == "better":
        opened = client.promote(plan.project, policy["name"])
        yield _row("promote", policy["name"], f"round {opened['number']}")


def _policy_id(client: Client, plan: Retraining) -> str:
    project = next((one for one in client.projects() if one["slug"] == plan.project), None)
    if project is None:
        raise ParleyError(404, "project", f"There is no project “{plan.project}”.", "See `parley projects`.")
    name = plan.policy or project["policy"]
    found = next(client.policies(name=name), None) if name else None
    if found is None:
        raise ParleyError(404, "policy", f"There is no policy “{name or ''}”.", "See `parley policies`.")
    return str(found["id"])


def _export(client: Client, plan: Retraining, kind: str, on_progress: OnProgress | None) -> Row:
    asked = client.build_export(plan.project, kind, filters=plan.filters)
    done = client.wait_for_export(plan.project, asked["id"], every=min(plan.every, 2.0), on_progress=on_progress)
    if not done["num_records"]:
        raise ParleyError(0, f"export of {kind}", "holds nothing.", "Rank or add prompts first, or widen the filters.")
    return done


def _train(
    client: Client,
    plan: Retraining,
    on_progress: OnProgress | None,
    kind: str,
    start: str,
    export: Row,
    options: Mapping[str, Any],
    **inputs: str,
) -> Row:
    job = client.start_job(plan.project, kind, export_id=export["id"], policy_id=start, options=dict(options), **inputs)
    return client.wait_for_job(plan.project, job["id"], every=plan.every, on_progress=on_progress)


def _figure(job: Row, name: str) -> str:
    value = job["metrics"].get(name)
    return f"{name} {value:.3g}" if isinstance(value, int | float) else "done"


def _row(step: str, name: str, result: str) -> Row:
    return {"step": step, "name": name, "result": result}
