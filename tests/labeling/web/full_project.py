"""A project with one row of everything, and its addresses: material for walks over all of them."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.urls import URLPattern, reverse
from django.utils import timezone

from labeling import exports, models
from labeling.accounts.links import make_link
from labeling.evaluations import probe_labels
from labeling.imports import uploads
from labeling.models import Comparison, Lease, Project, User
from labeling.preview import chatting, door, samples
from labeling.rankings import assignment
from labeling.safety import appeals, reports, triage
from labeling.urls import urlpatterns
from tests.labeling.api.api_client import Program
from tests.labeling.challenges.material import contest_ids
from tests.labeling.evaluations import probing
from tests.labeling.factories import (
    make_chat,
    make_comparison,
    make_dialogue,
    make_policy,
    make_project,
    make_prompt,
    make_reference,
    make_run,
    make_served_policy,
    make_thumb,
    make_user,
)
from tests.labeling.preview.material import answer_all, chat, make_pair, make_visitor
from tests.labeling.safety.full_screenings import make_screenings
from tests.labeling.safety.material import chat_of, make_drawn, make_screening

SLUG = "ours"
MENDING = (
    "withdraw_ranking", "put_back_ranking", "api_get_own_ranking", "api_change_own_ranking",
    "api_withdraw_own_ranking", "api_put_back_own_ranking", "ranking_forward",
)  # fmt: skip
JUDGED = (  # an entry that Adam is drawn for, and that is not his
    "mark_entry", "declare_conflict", "entry_of", "disqualify_entry", "name_duplicate", "release_entry",
)  # fmt: skip
KEY = "8a4a7c9e-6b1f-4f0c-9a53-0f5f3f0a7f10"


@dataclass(frozen=True, kw_only=True)
class FullProject:
    """The rows, by the name of the URL argument that names one; `special` where an address needs another."""

    project: Project
    adam: User
    program: Program
    visitor: User  # of the project's preview; its pages open to nobody else
    ids: dict[str, Any]
    special: dict[str, dict[str, Any]]

    def address(self, pattern: URLPattern) -> str:
        """The path of an address, with the rows of this project in its arguments."""
        return reverse(_name(pattern), kwargs=self.arguments(pattern))

    def arguments(self, pattern: URLPattern) -> dict[str, Any]:
        known = (
            {"slug": SLUG, "name": "prompts.jsonl", "rest": "nowhere"} | self.ids | self.special.get(_name(pattern), {})
        )
        return {name: known[name] for name in pattern.pattern.converters}


def addresses() -> Iterator[URLPattern]:
    """All but the streams, which close the connection that a test's transaction is in."""
    streams = ("stream", "visit_stream")
    yield from (one for one in urlpatterns if isinstance(one, URLPattern) and one.name not in streams)


def make_full_project() -> FullProject:
    adam = make_user(username="adam", password=None)
    project = make_project(slug=SLUG, asks_ratings=True)
    project.memberships.create(user=adam)
    board = _make_boards(project, adam)
    prompt, other = make_prompt(project=project, topic="sums"), make_prompt(project=project)
    models.PromptVector.objects.create(
        prompt=prompt, project=project, vector=[1.0] + [0.0] * 383, resembles=other, similarity=0.99
    )
    draft = make_dialogue(project=project, author=adam)
    chat = make_chat(project=project, author=adam)
    submitted = make_dialogue(
        project=project, author=make_user(projects=[project]), state="submitted", submitted_at=timezone.now()
    )
    accepted = make_dialogue(project=project, author=adam, state="accepted", topic="sums")
    returned = make_dialogue(project=project, author=adam, state="returned", reviewed_at=timezone.now())
    said = submitted.messages.order_by("position")[1]
    comments = [
        models.Comment.objects.create(
            project=project, dialogue=one, message=message, author=adam, text="Why?", sent_at=at
        )
        for one, message, at in ((submitted, said, None), (returned, returned.messages.last(), timezone.now()))
    ]
    run = make_run(project=project, requested_by=adam, dialogue=draft, state="done")
    suggested = models.Completion.objects.create(run=run, index=0, content="Lyon.", policy=project.policy)
    chat_run = make_run(project=project, requested_by=adam, dialogue=chat, state="done", purpose="chat")
    none_held_out = {"validation_percent": 0, "test_percent": 0}
    export = exports.request_export(project, kind="prompts", filters=none_held_out, by=adam, notify_worker=False)
    assert exports.build(export.id)
    exports.build(exports.request_export(project, kind="prompts", by=adam, notify_worker=False).id)
    line = b'{"id": "p", "messages": [{"role": "user", "content": "Why?"}]}\n'
    brought = uploads.bring(project, name="a.jsonl", content=[line], kind="dialogues", into_prompts=True, by=adam)
    policy = make_served_policy()
    job = models.TrainingJob.objects.create(
        project=project, kind="sft", output_name="out", export=export, policy=policy
    )
    models.RewardModel.objects.create(name="judge", store_path="rewardmodels/judge", manifest_sha256="0" * 64)
    webhook = models.Webhook.objects.create(project=project, url="https://example.org/", events=["export.ready"])
    evaluation = models.Evaluation.objects.create(
        project=project, baseline=project.policy, seed=1, num_prompts=20, error=0.04, first_look=20, look_every=20,
        state="stopped",
    )  # fmt: skip
    for number in range(40):  # of which enough are held out for an evaluation to begin
        make_prompt(project=project, content=f"A question about the number {number}?")
    models.Candidate.objects.create(evaluation=evaluation, policy=policy)
    withdrawal = _make_withdrawal(project, by=adam)
    answered = chat.messages.get(position=1)
    report, decided = _make_reports(answered, board.held.comparison.completions.get(index=3), by=adam)
    program = Program(adam)
    message = draft.messages.order_by("position")[1]
    disputed = _make_disputed(project)
    waiting = _make_adjudication(_make_disputed(project), by=adam, state="waiting")
    ordered = _make_adjudication(_make_disputed(project), by=adam, state="ordered")
    screening = make_screenings(project, chat)
    ids = {
        "screening_id": screening.id, "filter_id": models.Filter.objects.get(name="shadowy").id,
        "figure": "agreement",
        "token_id": program.token.id, "user_id": make_user(username="bob", projects=[project]).id,
        "dialogue_id": draft.id, "message_id": message.id, "prompt_id": prompt.id, "run_id": run.id,
        "completion_id": suggested.id, "export_id": export.id, "webhook_id": webhook.id, "import_id": brought.id,
        "comparison_id": board.work.id, "job_id": job.id, "policy_id": policy.id, "model_id": policy.id,
        "report_id": report.id, "case_id": report.case_id, "ranking_id": board.practised.id, "lease_id": board.held.id,
        "comment_id": comments[1].id, "thumb_id": make_thumb(project=project).id, "evaluation_id": evaluation.id,
        "withdrawal_id": withdrawal.id, "adjudication_id": waiting.id,
        "snippet_id": models.Snippet.objects.create(owner=adam, name="Bot", text="You are a patient helper.").id,
        "attempt": 1,
    } | contest_ids(project, by=adam) | _ways_in(adam)  # fmt: skip
    special: dict[str, dict[str, Any]] = {
        name: {"dialogue_id": chat.id, "run_id": chat_run.id}
        for name in ("chat_dialogue", "say", "regenerate", "stop_answer", "choose_answer")
    }
    special |= {
        name: {"dialogue_id": submitted.id} for name in ("review_dialogue", "accept_dialogue", "return_dialogue")
    }
    special |= {
        **{key: {"dialogue_id": chat.id, "message_id": answered.id} for key in ("thumb_message", "report_message")},
        "reopen_case": {"case_id": decided.case_id},
        "undo_acceptance": {"dialogue_id": accepted.id},
        "answer_comment": {"dialogue_id": returned.id},
        "comment_on_message": {"dialogue_id": submitted.id, "message_id": said.id},
        "take_back_comment": {"dialogue_id": submitted.id, "comment_id": comments[0].id},
        "noted_ranking": {"ranking_id": board.ranked.id},
    }
    special |= {name: {"entry_id": ids["judged_id"]} for name in JUDGED}
    special |= _of_the_filter(project, adam)
    special |= {name: {"comparison_id": board.gold.id} for name in ("reference", "retire_reference")}
    special |= {name: {"comparison_id": disputed.id} for name in ("disagreement", "send_to_adjudication")}
    special |= {name: {"adjudication_id": ordered.id} for name in ("decide_adjudication", "withdraw_adjudication")}
    special |= {"change_ranking": {"lease_id": board.submitted.id}}
    special |= {name: {"ranking_id": board.ranked.id} for name in MENDING}
    special |= {
        "practice_board": {"comparison_id": board.practice.id},
        "report_completion": {"completion_id": board.held.comparison.completions.get(index=0).id},
    }
    visitor, ids_of_preview, of_visits = _make_preview(project)
    return FullProject(
        project=project, adam=adam, program=program, visitor=visitor, ids=ids | ids_of_preview,
        special=special | of_visits,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Boards:
    """A place that is held, work that is ranked, and a practice and a gold comparison."""

    held: Lease
    submitted: Lease
    work: Comparison
    practice: Comparison
    gold: Comparison
    ranked: models.Ranking
    practised: models.PracticeRanking


def _make_boards(project: Project, adam: User) -> Boards:
    make_comparison(project=project, rankings_wanted=2)
    held = assignment.claim(project, by=adam)
    assert isinstance(held, Lease)
    work = make_comparison(project=project)
    practice = make_reference(project=project, use="practice").comparison
    gold = make_reference(project=project).comparison
    order = [one for (one,) in gold_tiers(work)]
    submitted_lease = models.Lease.objects.create(
        comparison=work,
        trainer=adam,
        state="submitted",
        shown_order=order,
        expires_at=timezone.now(),
        closed_at=timezone.now(),
    )
    ranked = models.Ranking.objects.create(
        comparison=work,
        trainer=adam,
        lease=submitted_lease,
        submission_key=uuid.uuid4(),
        tiers=gold_tiers(work),
        shown_order=order,
        note="B says what A says.",
    )
    models.Comparison.objects.filter(id=work.id).update(num_rankings=1, open_slots=0, state="done")
    practised = models.PracticeRanking.objects.create(
        comparison=practice,
        trainer=adam,
        submission_key=uuid.uuid4(),
        tiers=gold_tiers(practice),
        shown_order=[one for (one,) in gold_tiers(practice)],
    )
    return Boards(
        held=held,
        submitted=submitted_lease,
        work=work,
        practice=practice,
        gold=gold,
        ranked=ranked,
        practised=practised,
    )


def _make_preview(project: Project) -> tuple[User, dict[str, Any], dict[str, dict[str, Any]]]:
    """A preview with a sample, a visitor, their chat and a choice that waits, and a link that was sent."""
    preview = make_pair(project=project)
    visitor = make_visitor(preview, training=True)
    visit = chat(preview, visitor)
    waiting = chatting.begin(preview, content="Which?", with_two=True, by=visitor)
    answer_all(waiting)
    policies = (project.policy, preview.second_policy)
    sample = samples.make(preview, prompt="Why?", policies=policies, chosen_from=1, by=visitor)
    link = models.DoorLink.objects.create(preview=preview, email="walter@example.org", address_hash="x")
    chosen = {"dialogue_id": waiting.id, "completion_id": waiting.comparisons.get().completions.all()[0].id}
    visits = {name: {"dialogue_id": visit.id} for name in ("visit_dialogue", "visit_say", "visit_stop", "delete_visit")}
    answered = {"dialogue_id": visit.id, "message_id": visit.messages.get(position=1).id}
    blocked = make_screening(project=project, person=visitor, side="said", text="They fought.")
    special = {
        **visits,
        "visit_again": {"dialogue_id": waiting.id},
        "visit_choose": chosen,
        "visit_report": answered,
        "visit_thumb": answered,
        "visit_appeal": {"screening_id": blocked.id},
    }
    return visitor, {"sample_id": sample.id, "token": door.token_of(link)}, special


def gold_tiers(comparison: Comparison) -> list[list[str]]:
    return [[str(one)] for one in comparison.completions.order_by("index").values_list("id", flat=True)]


def _make_reports(
    message: models.Message, completion: models.Completion, *, by: User
) -> tuple[models.Report, models.Report]:
    """A report that waits, and one that was decided on; of two texts, or they would be one case."""
    project = message.dialogue.project
    waiting, _is_new = reports.report(project, by=by, message=message, kind="harmful", note="It is cruel.")
    decided, _is_new = reports.report(project, by=by, completion=completion, kind="false")
    assert decided.case is not None
    triage.decide(decided.case, agreed=True, action="noted", why="It is so.", by=by)
    return waiting, decided


def _of_the_filter(project: Project, adam: User) -> dict[str, dict[str, Any]]:
    """A text of Adam's that was blocked, one that somebody else appealed against, and texts and answers to label."""
    _make_probes(project, adam)
    mine, other, third = (
        make_screening(project=project, person=person) for person in (adam, make_user(projects=[project]), None)
    )
    appealed = appeals.appeal(other, models.User.objects.get(id=chat_of(other).author_id), "It is a story.")
    make_drawn(screening=third)
    return {"appeal": {"screening_id": mine.id}} | {
        name: {"appeal_id": appealed.id} for name in ("decide_appeal", "reveal_appeal")
    }


def _make_probes(project: Project, adam: User) -> None:
    """One unsafe request that two policies have answered; Adam holds an answer to label."""
    for policy in (project.policy, make_policy(name="asked")):
        assert policy is not None
        run = probing.start(project, policy, by=adam, name="compliance", num_groups=1)
        probing.answer_all(run, lambda answer: f"No, says {answer.run.policy.name}.")
    assert probe_labels.claim(project, by=adam)


def _make_withdrawal(project: Project, *, by: models.User) -> models.Withdrawal:
    person = make_user(username="wilma", projects=[project])
    make_thumb(project=project, created_by=person)
    return models.Withdrawal.objects.create(
        project=project, person=person, kinds=["thumbs"], reason="fraud", state="done", by=by
    )


def _make_disputed(project: Project) -> Comparison:
    """A comparison with two opposite orders, which nobody of the project made."""
    comparison = make_comparison(project=project, state="done", open_slots=0, num_rankings=2, distance=1.0)
    tiers = gold_tiers(comparison)
    for order in (tiers, tiers[::-1]):
        models.Ranking.objects.create(comparison=comparison, submission_key=uuid.uuid4(), tiers=order)
    return comparison


def _make_adjudication(comparison: Comparison, *, by: User, state: str) -> models.Adjudication:
    tiers = gold_tiers(comparison)
    return models.Adjudication.objects.create(
        comparison=comparison, reviewer=by, state=state, tiers=tiers if state != "waiting" else [],
        shown_order=[one for (one,) in tiers], expires_at=timezone.now() + timedelta(hours=1),
    )  # fmt: skip


def _name(pattern: URLPattern) -> str:
    assert pattern.name is not None
    return pattern.name


def _ways_in(adam: User) -> dict[str, Any]:
    """A link, another session and a second factor of Adam's."""
    later = timezone.now() + timedelta(days=1)
    session = models.Session.objects.create(session_key="another", expire_date=later, user=adam)
    return {
        "secret": make_link(adam, purpose="password", by=None)[1],
        "session_id": session.id,
        "factor_id": TOTP.activate(adam, generate_totp_secret()).instance.pk,
        "provider_id": "oidc",
    }
