"""What a program does with a Parley platform: one method for one thing, rows as docs/api.md has them."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from parley.connection import FIRST_PAUSE, Connection, ParleyError
from parley.files import download, packed

Row = dict[str, Any]
OnProgress = Callable[[Row], None]

BATCH = 200  # texts sent at once; the platform takes 2 MiB
PAGE = 200
_ALIVE = ("waiting", "sent", "running")


class Client:
    """A platform as the owner of a token sees it. Also a context manager, which closes its connections."""

    def __init__(self, url: str, token: str, *, seconds: float = 60.0, first_pause: float = FIRST_PAUSE) -> None:
        self._connection = Connection(url, token, seconds=seconds, first_pause=first_pause)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def me(self) -> Row:
        """Whose token this is, and what it opens."""
        return dict(self._connection.get("me"))

    def projects(self) -> Iterator[Row]:
        return self._rows("projects")

    def prompts(self, project: str, *, topic: str | None = None) -> Iterator[Row]:
        return self._rows(f"{_place(project)}/prompts", topic=topic)

    def dialogues(self, project: str, *, state: str | None = None) -> Iterator[Row]:
        return self._rows(f"{_place(project)}/dialogues", state=state)

    def comparisons(self, project: str, *, state: str | None = None) -> Iterator[Row]:
        return self._rows(f"{_place(project)}/comparisons", state=state)

    def rankings(self, project: str) -> Iterator[Row]:
        return self._rows(f"{_place(project)}/rankings")

    def exports(self, project: str) -> Iterator[Row]:
        return self._rows(f"{_place(project)}/exports")

    def rounds(self, project: str) -> Iterator[Row]:
        return self._rows(f"{_place(project)}/rounds")

    def policies(self, *, name: str | None = None) -> Iterator[Row]:
        return self._rows("policies", name=name)

    def add_prompts(self, project: str, prompts: Iterable[Row], *, on_error: str = "stop") -> Row:
        """Add {"messages": […], "topic": …} to the pool, however many; returns the counts of all batches."""
        return self._add(f"{_place(project)}/prompts", "prompts", prompts, on_error)

    def add_dialogues(self, project: str, dialogues: Iterable[Row], *, on_error: str = "stop") -> Row:
        return self._add(f"{_place(project)}/dialogues", "dialogues", dialogues, on_error)

    def feedback(self, project: str) -> Iterator[Row]:
        return self._rows(f"{_place(project)}/feedback")

    def send_feedback(
        self,
        project: str,
        *,
        id: str,
        messages: Sequence[Row],
        answer: str,
        thumb: str,
        reason: str | None = None,
        policy: str | None = None,
        trainer: str | None = None,
        topic: str | None = None,
    ) -> Row:
        """Keep a thumb, "up" or "down", on the answer to these messages. `id` is yours: sent twice, it is kept once.

        Raises ParleyError (409) where another thumb was sent under this id.
        """
        body = {"id": id, "messages": list(messages), "answer": answer, "thumb": thumb, "reason": reason}
        body |= {"policy": policy, "trainer": trainer, "topic": topic}
        given = {name: value for name, value in body.items() if value is not None}
        return dict(self._connection.post(f"{_place(project)}/feedback", given))

    def reports(self, project: str) -> Iterator[Row]:
        """One's own reports of outputs, each with what became of it; for reviewers all of the project."""
        return self._rows(f"{_place(project)}/reports")

    def report(
        self,
        project: str,
        *,
        kind: str,
        note: str = "",
        message_id: str | None = None,
        completion_id: str | None = None,
    ) -> Row:
        """Report a message of a chat of one's own, or a completion that one ranks; a second time changes the first."""
        body = {"kind": kind, "note": note, "message_id": message_id, "completion_id": completion_id}
        return dict(self._connection.post(f"{_place(project)}/reports", body))

    def appeals(self, project: str) -> Iterator[Row]:
        return self._rows(f"{_place(project)}/appeals")

    def appeal(self, project: str, screening_id: str, *, why: str = "") -> Row:
        """Appeal once against what a filter did to a text of yours. Raises ParleyError (409) where you have already."""
        return dict(self._connection.post(f"{_place(project)}/appeals", {"screening_id": screening_id, "why": why}))

    def label_text(self, project: str, screening_id: str, answers: dict[str, str]) -> Row:
        """Say what a screened text is: "yes", "no" or "unsure" by category; what is left out stays unknown."""
        body = {"screening_id": screening_id, "answers": answers}
        return dict(self._connection.post(f"{_place(project)}/labels", body))

    def claim(self, project: str) -> Row:
        """{"lease": the next comparison to rank, or None, "reason": …}."""
        return dict(self._connection.post(f"{_place(project)}/claim"))

    def submit(self, project: str, lease_id: str, ranking: Row) -> Row:
        return dict(self._connection.post(f"{_place(project)}/leases/{quote(lease_id)}/ranking", ranking))

    def ranking(self, project: str, ranking_id: str) -> Row:
        """One of one's own rankings, with `counts` and `change_until`."""
        return dict(self._connection.get(f"{_place(project)}/rankings/{quote(ranking_id)}"))

    def change(self, project: str, ranking_id: str, ranking: Row) -> Row:
        """Put another version in the place of one's own ranking; ParleyError (409) where that counts no more."""
        return dict(self._connection.post(f"{_place(project)}/rankings/{quote(ranking_id)}/change", ranking))

    def withdraw(self, project: str, ranking_id: str, *, reason: str = "") -> Row:
        return dict(
            self._connection.post(f"{_place(project)}/rankings/{quote(ranking_id)}/withdraw", {"reason": reason})
        )

    def skip(self, project: str, lease_id: str, *, reason: str) -> None:
        self._connection.post(f"{_place(project)}/leases/{quote(lease_id)}/skip", {"reason": reason})

    def import_file(self, project: str, path: Path, into: str, *, skips_bad_lines: bool = False) -> Row:
        """Bring a file in as dialogues, prompts, rankings or thumbs; `wait_for_import` says how that went.

        What is not compressed yet is sent compressed. What was brought before is added no second time.
        """
        name, content = packed(path)
        body = {"into": into, "name": name, "content": content, "skips_bad_lines": skips_bad_lines}
        return dict(self._connection.post(f"{_place(project)}/imports", body))

    def imports(self, project: str) -> Iterator[Row]:
        return self._rows(f"{_place(project)}/imports")

    def wait_for_import(self, project: str, import_id: str, *, every: float = 2.0) -> Row:
        """The import with its report once it is done. Raises ParleyError where it failed."""
        while (brought := dict(self._connection.get(f"{_place(project)}/imports/{quote(import_id)}")))[
            "state"
        ] in _ALIVE:
            time.sleep(every)
        if brought["state"] != "done":
            raise ParleyError(0, f"import {import_id}", f"{brought['state']}. {brought['error']}")
        return brought

    def people(self, *, username: str | None = None) -> Iterator[Row]:
        return self._rows("people", username=username)

    def open_account(self, username: str, role: str) -> Row:
        """An account with the `password` that is told this once; null where it was there already."""
        return dict(self._connection.post("people", {"username": username, "role": role}))

    def change_person(self, user_id: str, *, role: str | None = None, is_active: bool | None = None) -> Row:
        return dict(self._connection.post(f"people/{quote(user_id)}", {"role": role, "is_active": is_active}))

    def change_members(self, project: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> list[Row]:
        """Let people come to a project and leave it, by id; returns its members."""
        return list(self._connection.post(f"{_place(project)}/members", {"add": list(add), "remove": list(remove)}))

    def build_export(self, project: str, kind: str, *, format: str = "records", filters: Row | None = None) -> Row:
        """Ask for an export; `wait_for_export` says when it is done."""
        body = {"kind": kind, "format": format, "filters": filters or {}}
        return dict(self._connection.post(f"{_place(project)}/exports", body))

    def export(self, project: str, export_id: str) -> Row:
        return dict(self._connection.get(f"{_place(project)}/exports/{quote(export_id)}"))

    def cancel_export(self, project: str, export_id: str) -> Row:
        return dict(self._connection.post(f"{_place(project)}/exports/{quote(export_id)}/cancel"))

    def wait_for_export(
        self, project: str, export_id: str, *, every: float = 2.0, on_progress: OnProgress | None = None
    ) -> Row:
        """The export once it is done. Raises ParleyError where it failed or was cancelled."""
        while (export := self.export(project, export_id))["state"] in _ALIVE:
            if on_progress is not None:
                on_progress(export)
            time.sleep(every)
        if export["state"] != "done":
            raise ParleyError(0, f"export {export_id}", f"{export['state']}. {export['error']}")
        return export

    def download_export(self, project: str, export_id: str, folder: Path) -> list[Path]:
        """The files of an export that is done, checked by their hashes. What is there already is not fetched again."""
        export = self.export(project, export_id)
        if export["state"] != "done":
            raise ParleyError(0, f"export {export_id}", f"is {export['state']}, not done.", "Wait for it first.")
        path = f"{_place(project)}/exports/{quote(export_id)}/files"
        return [download(self._connection, f"{path}/{quote(file['name'])}", file, folder) for file in export["files"]]

    def reward_models(self, *, name: str | None = None) -> Iterator[Row]:
        return self._rows("reward-models", name=name)

    def jobs(self, project: str) -> Iterator[Row]:
        return self._rows(f"{_place(project)}/jobs")

    def start_job(
        self, project: str, kind: str, *, export_id: str, options: Row | None = None, output_name: str = "", **ids: str
    ) -> Row:
        """Start training of the kind sft, reward_model, ppo, rloo, dpo, kto or rejection_sampling.

        `ids` are policy_id, reward_model_id and the like. What is left out is as the form of the rounds page proposes.
        """
        body = {"kind": kind, "export_id": export_id, "options": options or {}, "output_name": output_name, **ids}
        return dict(self._connection.post(f"{_place(project)}/jobs", body))

    def job(self, project: str, job_id: str) -> Row:
        return dict(self._connection.get(f"{_place(project)}/jobs/{quote(job_id)}"))

    def job_logs(self, project: str, job_id: str) -> list[Row]:
        """The logs of a job, newest attempt first, each with its `attempt` and `num_bytes`."""
        return list(self._connection.get(f"{_place(project)}/jobs/{quote(job_id)}/logs"))

    def job_log(self, project: str, job_id: str, attempt: int) -> str:
        """What the program of this attempt said so far."""
        with self._connection.stream(f"{_place(project)}/jobs/{quote(job_id)}/logs/{attempt}", start=0) as (_, pieces):
            return b"".join(pieces).decode("utf-8", errors="replace")

    def cancel_job(self, project: str, job_id: str) -> Row:
        return dict(self._connection.post(f"{_place(project)}/jobs/{quote(job_id)}/cancel"))

    def wait_for_job(
        self, project: str, job_id: str, *, every: float = 10.0, on_progress: OnProgress | None = None
    ) -> Row:
        """The job once it is done. Raises ParleyError where it failed or was cancelled."""
        while (job := self.job(project, job_id))["state"] in _ALIVE:
            if on_progress is not None:
                on_progress(job)
            time.sleep(every)
        if job["state"] != "done":
            raise ParleyError(0, f"job {job_id}", f"{job['state']}. {job['error']}")
        return job

    def withdrawals(self, project: str) -> Iterator[Row]:
        return self._rows(f"{_place(project)}/withdrawals")

    def preview_withdrawal(self, project: str, **span: Any) -> Row:
        """What a withdrawal of this span would touch: `person_id` or `outside_person`, `kinds`, `since`."""
        return dict(self._connection.post(f"{_place(project)}/withdrawals/preview", span))

    def withdraw_for_person(self, project: str, *, reason: str, text: str = "", **span: Any) -> Row:
        """Take out what a person made; `reason` is fraud, consent, error or other, which wants a `text`."""
        body = {"reason": reason, "text": text, **span}
        return dict(self._connection.post(f"{_place(project)}/withdrawals", body))

    def undo_withdrawal(self, project: str, withdrawal_id: str, *, reason: str) -> Row:
        place = f"{_place(project)}/withdrawals/{quote(withdrawal_id)}/undo"
        return dict(self._connection.post(place, {"reason": reason}))

    def challenges(self, project: str) -> Iterator[Row]:
        """Feedback contests of a project, newest first."""
        return self._rows(f"{_place(project)}/challenges")

    def own_entries(self, project: str, challenge_id: str) -> Iterator[Row]:
        """The token's owner's entries to a contest."""
        return self._rows(f"{_place(project)}/challenges/{quote(challenge_id)}/entries")

    def evaluations(self, project: str) -> Iterator[Row]:
        return self._rows(f"{_place(project)}/evaluations")

    def begin_evaluation(
        self, project: str, policy_ids: Sequence[str], *, num_prompts: int = 200, share: float = 0.5
    ) -> Row:
        """Let people judge policies against the project's; `wait_for_verdict` says what they decided."""
        body = {"policy_ids": list(policy_ids), "num_prompts": num_prompts, "share": share}
        return dict(self._connection.post(f"{_place(project)}/evaluations", body))

    def evaluation(self, project: str, evaluation_id: str) -> Row:
        return dict(self._connection.get(f"{_place(project)}/evaluations/{quote(evaluation_id)}"))

    def stop_evaluation(self, project: str, evaluation_id: str) -> Row:
        return dict(self._connection.post(f"{_place(project)}/evaluations/{quote(evaluation_id)}/stop"))

    def wait_for_verdict(
        self, project: str, evaluation_id: str, *, every: float = 60.0, on_progress: OnProgress | None = None
    ) -> Row:
        """The evaluation once it is decided or stopped. People take their time: hours, or days."""
        while (evaluation := self.evaluation(project, evaluation_id))["state"] == "open":
            if on_progress is not None:
                on_progress(evaluation)
            time.sleep(every)
        return evaluation

    def promote(self, project: str, policy: str, *, reason: str = "") -> Row:
        """Let the policy of this name answer from now on; returns the round that opens with it.

        Unless people called it better than the present one, Parley asks for the `reason`, and keeps it.
        """
        found = next(self.policies(name=policy), None)
        if found is None:
            raise ParleyError(404, "policy", f"There is no policy “{policy}”.", "See `parley policies`.")
        return dict(self._connection.post(f"{_place(project)}/promote", {"policy_id": found["id"], "reason": reason}))

    def screenings(self, project: str, **wanted: Any) -> Iterator[Row]:
        """What the content filter saw, newest first, without the texts; `verdict="block"`, `acted=True` narrow it."""
        return self._rows(f"{_place(project)}/screenings", **wanted)

    def rules(self, project: str) -> Row:
        """What a project's filter does with each category."""
        return dict(self._connection.get(f"{_place(project)}/rules"))

    def change_rules(
        self, project: str, *, version: int, rules: Sequence[Row], note: str = "", is_on: bool = True
    ) -> Row:
        """Make a new version of a project's rules; `version` is the one that was read."""
        given = {"version": version, "rules": list(rules), "note": note, "is_on": is_on}
        return dict(self._connection.post(f"{_place(project)}/rules", given))

    def filters(self) -> Iterator[Row]:
        return self._rows("filters")

    def promote_filter(self, filter_id: str, to: str, *, why: str = "") -> Row:
        """Put a filter in shadow or in force, or retire it."""
        return dict(self._connection.post(f"filters/{filter_id}/promote", {"to": to, "why": why}))

    def moderate(self, texts: str | Sequence[str]) -> Row:
        """What the filter in force says of texts, at most 32, in the shape of OpenAI's moderation endpoint."""
        given = texts if isinstance(texts, str) else list(texts)
        return dict(self._connection.post("moderations", {"input": given}))

    def _rows(self, path: str, **query: Any) -> Iterator[Row]:
        cursor = None
        while True:
            page = self._connection.get(path, limit=PAGE, cursor=cursor, **query)
            yield from page["results"]
            cursor = page["next"]
            if cursor is None:
                return

    def _add(self, path: str, what: str, texts: Iterable[Row], on_error: str) -> Row:
        counts: Row = {"imported": 0, "repeated": 0, "refused": []}
        waiting = iter(texts)
        while batch := list(islice(waiting, BATCH)):
            taken = self._connection.post(path, {what: batch, "on_error": on_error})
            for name in counts:
                counts[name] += taken[name]
        return counts


def _place(project: str) -> str:
    return f"projects/{quote(project, safe='')}"
