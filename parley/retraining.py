"""Once round the loop from a script: exports, reward model, PPO, people's verdict, and a promotion if they say so."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from parley.client import Client, OnProgress, Row
from parley.connection import ParleyError


@dataclass(frozen=True, kw_only=True)
class Retraining:
    """What a retraining does. Options of the two jobs are those of their forms; what is left out they propose.

    `policy` names the one to start from, the project's by default. `num_prompts` and `share` are the evaluation's;
    without `asks_people` nobody judges. With `promotes` a policy that people call better answers from then on.
    """

    project: str
    policy: str | None = None
    filters: Row = field(default_factory=dict)
    reward_options: Mapping[str, Any] = field(default_factory=dict)
    ppo_options: Mapping[str, Any] = field(default_factory=dict)
    asks_people: bool = True
    num_prompts: int = 200
    share: float = 0.5
    promotes: bool = False
    every: float = 10.0  # seconds between two looks


def retrain(client: Client, plan: Retraining, *, on_progress: OnProgress | None = None) -> Iterator[Row]:
    """Do the steps and yield a row for each as it ends: {"step", "name", "result"}.

    Raises ParleyError where a step fails; what was made before stays, and another run makes new models beside it.
    """
    start = _policy_id(client, plan)
    rankings = _export(client, plan, "rankings", on_progress)
    yield _row("export", "rankings", f"{rankings['num_records']} records")
    prompts = _export(client, plan, "prompts", on_progress)
    yield _row("export", "prompts", f"{prompts['num_records']} records")
    judge = _train(client, plan, on_progress, "reward_model", start, rankings, plan.reward_options)
    reward_model = next(client.reward_models(name=judge["output_name"]))
    yield _row("reward model", judge["output_name"], _figure(judge, "accuracy"))
    chosen = {**plan.ppo_options}
    job = _train(client, plan, on_progress, "ppo", start, prompts, chosen, reward_model_id=reward_model["id"])
    policy = next(client.policies(name=job["output_name"]))
    yield _row("PPO", policy["name"], _figure(job, "reward"))
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
