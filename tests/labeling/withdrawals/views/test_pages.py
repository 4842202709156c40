"""The pages of withdrawals: what they say, who may open them, what is invalid, and the way from a click to a model."""

import json
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling import exports
from labeling.models import Export, Policy, Project, Ranking, RewardModel, TrainingJob, User, Withdrawal
from labeling.rankings import mending
from labeling.rounds.promotion import promote
from tests.labeling.exports.material import exported, make_ranking
from tests.labeling.factories import make_dialogue, make_policy, make_project, make_reference, make_thumb, make_user
from tests.labeling.rounds.judging import fill_pool, run_evaluation
from tests.labeling.signed_in import as_user
from tests.labeling.withdrawals.material import better_answer, counts, everything_of, rank, withdraw_all

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "sent")]


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", policy=make_policy(name="base"))


@pytest.fixture
def adam() -> User:
    return make_user(username="adam")


@pytest.fixture
def adams_browser(adam: User) -> Client:
    return as_user(adam)


def form(person: User | None, **changes: Any) -> dict[str, Any]:
    values = {"person": person.id if person else "", "kinds": list(Withdrawal.Kind.values), "reason": "fraud"}
    return {**values, "key": str(uuid.uuid4())} | changes


def address(name: str, *arguments: Any) -> str:
    return reverse(name, args=("sky", *arguments))


def text_of(browser: Client, name: str, *arguments: Any) -> str:
    response = browser.get(address(name, *arguments))
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def trained(export: Export, name: str, kind: str = "reward_model", **given: Any) -> Policy | RewardModel:
    job = TrainingJob.objects.create(
        project=export.project, kind=kind, output_name=name, export=export, state="done", options={"lr": 0.5}, **given
    )
    made = {"name": name, "store_path": f"models/{name}", "manifest_sha256": "0" * 64, "training_job": job}
    if kind == "reward_model":
        return RewardModel.objects.create(export=export, **made)
    return Policy.objects.create(parent=given["policy"], **made)


def test_the_preview_counts_and_changes_nothing(project: Project, alice: User, adams_browser: Client) -> None:
    work = everything_of(project, alice)
    make_ranking(project=project)
    export = exported(project)
    trained(export, "sky-rm", policy=project.policy)
    response = adams_browser.post(address("preview_withdrawal"), form(alice))
    assert response.context["preview"].counts == {"rankings": 1, "dialogues": 1, "better": 1, "thumbs": 1}
    (held,) = response.context["preview"].exports
    assert (held.export, held.num, held.share) == (export, 1, 0.5)
    assert "sky-rm" in response.content.decode()
    assert list(map(counts, work)) == [True] * 4
    assert not Withdrawal.objects.exists()


def test_the_preview_says_which_verdicts_and_promotions_rest_on_it(
    project: Project, adam: User, adams_browser: Client
) -> None:
    better = make_policy(name="better", backend="openai", server_kind="vllm", server_url="http://x", server_model="m")
    fill_pool(project)
    run_evaluation(project, better, better="better")
    promote(better, project=project, by=adam)
    judge = Ranking.objects.filter(comparison__use="evaluation").first()
    assert judge is not None
    preview = adams_browser.post(address("preview_withdrawal"), form(judge.trainer)).context["preview"]
    ((candidate, num),) = preview.verdicts
    assert (candidate.policy, num) == (better, 20)
    assert [one.policy for one in preview.promotions] == [better]


def test_confirming_withdraws_once_however_often_it_is_sent(
    project: Project, alice: User, adams_browser: Client
) -> None:
    ranking, *_ = everything_of(project, alice)
    sent = form(alice, text="Copied.")
    for _ in range(2):
        response = adams_browser.post(address("new_withdrawal"), sent)
        assert response.status_code == 302
    withdrawal = Withdrawal.objects.get()
    assert (withdrawal.reason, withdrawal.text, withdrawal.rows.count()) == ("fraud", "Copied.", 4)
    assert not counts(ranking)
    page = text_of(adams_browser, "withdrawal", withdrawal.id)
    assert "Copied." in page
    assert "Undo the withdrawal" in page
    assert "Alice" in text_of(adams_browser, "withdrawals")


def test_undoing_wants_a_reason(project: Project, alice: User, adams_browser: Client, adam: User) -> None:
    ranking = rank(project, alice)
    withdrawal = withdraw_all(project, alice, by=adam)
    assert adams_browser.post(address("undo_withdrawal", withdrawal.id), {"reason": " "}).status_code == 422
    assert not counts(ranking)
    adams_browser.post(address("undo_withdrawal", withdrawal.id), {"reason": "It was another."})
    assert counts(ranking)
    assert "It was another." in text_of(adams_browser, "withdrawal", withdrawal.id)


@pytest.mark.parametrize(
    "changes",
    [
        {"person": ""},
        {"person": "nobody"},
        {"outside_person": "t-7"},
        {"person": "", "outside_person": "nobody-came"},
        {"kinds": []},
        {"kinds": ["votes"]},
        {"reason": "other"},
        {"reason": ""},
        {"since": "yesterday"},
        {"key": "x"},
    ],
)
def test_an_invalid_form_withdraws_nothing(
    changes: dict[str, Any], project: Project, alice: User, adams_browser: Client
) -> None:
    ranking = rank(project, alice)
    for name in ("preview_withdrawal", "new_withdrawal"):
        assert adams_browser.post(address(name), form(alice) | changes).status_code == 422
    assert counts(ranking)


@pytest.mark.parametrize("role", ["trainer", "reviewer", "engineer"])
def test_withdrawals_are_an_admins(role: str, project: Project, alice: User, adam: User) -> None:
    ranking = rank(project, alice)
    later = withdraw_all(project, make_user(), by=adam)
    browser = as_user(make_user(role=role, projects=[project]))
    assert browser.get(address("withdrawals")).status_code == 403
    assert browser.get(address("withdrawal", later.id)).status_code == 403
    for name in ("preview_withdrawal", "new_withdrawal"):
        assert browser.post(address(name), form(alice)).status_code == 403
    assert browser.post(address("undo_withdrawal", later.id), {"reason": "x"}).status_code == 403
    assert counts(ranking)


def test_a_withdrawal_is_found_in_its_own_project_only(
    project: Project, alice: User, adam: User, adams_browser: Client
) -> None:
    make_project(slug="sea")
    withdrawal = withdraw_all(project, alice, by=adam)
    assert adams_browser.get(reverse("withdrawal", args=("sea", withdrawal.id))).status_code == 404


def test_everything_that_is_affected_is_listed_and_marked_on_its_own_page(
    project: Project, alice: User, adam: User, erins_browser: Client
) -> None:
    rank(project, alice)
    make_ranking(project=project)
    export, untouched = exported(project), exported(project, "rankings", trainer_kinds=["imported"])
    reward = trained(export, "sky-rm", policy=project.policy)
    policy = trained(exported(project, "prompts"), "sky-ppo", "ppo", policy=project.policy, reward_model=reward)
    assert "Nothing is affected" in text_of(erins_browser, "affected")
    assert "withdrawn since" not in text_of(erins_browser, "data")
    withdraw_all(project, alice, by=adam)
    found = erins_browser.get(address("affected")).context["affected"]
    assert [(one.export, one.found.num_withdrawn, one.found.share) for one in found.exports] == [(export, 1, 0.5)]
    assert [(one.model, one.num, one.learned_directly) for one in found.models] == [
        (reward, 1, True),
        (policy, 1, False),
    ]
    assert "1 withdrawn since" in text_of(erins_browser, "data")
    assert "1 withdrawn since" in text_of(erins_browser, "exports")
    assert address("affected") in text_of(erins_browser, "export", export.id)
    assert address("affected") + "#exports" not in text_of(erins_browser, "export", untouched.id)
    for model in (reward, policy):
        page = erins_browser.get(reverse("model", args=(model.id,))).content.decode()
        assert address("affected") in page


def test_what_the_author_took_back_alone_affects_as_well_and_a_change_does_not(
    project: Project, alice: User, erins_browser: Client
) -> None:
    ranking, changed = rank(project, alice), rank(project, alice)
    exported(project)
    Ranking.objects.filter(id=changed.id).update(retracted_at="2026-11-29T00:00:00Z", lease=None)
    assert not erins_browser.get(address("affected")).context["affected"].exports
    mending.withdraw(Ranking.objects.get(id=ranking.id), by=alice)
    (one,) = erins_browser.get(address("affected")).context["affected"].exports
    assert one.found.num_withdrawn == 1


def test_two_clicks_rebuild_and_retrain(
    project: Project, alice: User, adam: User, erin: User, erins_browser: Client
) -> None:
    gone, stays = rank(project, alice), make_ranking(project=project)
    assert project.policy is not None
    export = exported(project, validation_percent=20)
    reward = trained(export, "sky-1-rm", policy=project.policy)
    assert reward.training_job is not None
    withdraw_all(project, alice, by=adam)
    refused = erins_browser.post(address("retrain_job", reward.training_job.id), follow=True)
    assert "Rebuild the export of" in refused.content.decode()
    assert TrainingJob.objects.count() == 1

    for _ in range(2):
        erins_browser.post(address("rebuild_export", export.id))
    rebuilt = Export.objects.get(rebuilt_from=export)
    assert (rebuilt.kind, rebuilt.format, rebuilt.filters) == (export.kind, export.format, export.filters)
    assert exports.build(rebuilt.id)
    rebuilt.refresh_from_db()
    lines = (exports.exports_folder() / str(rebuilt.id) / "rankings.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [str(stays.id)]
    assert str(gone.id) not in "".join(lines)

    for _ in range(2):
        response = erins_browser.post(address("retrain_job", reward.training_job.id))
    job = TrainingJob.objects.get(retrained_from=reward.training_job)
    assert response["Location"] == address("training_job", job.id)
    assert (job.export, job.options, job.policy, job.kind) == (rebuilt, {"lr": 0.5}, project.policy, "reward_model")
    assert (job.output_name, job.requested_by) == ("sky-1-rm-2", erin)
    (model,) = erins_browser.get(address("affected")).context["affected"].models
    assert model.retraining == job


def test_a_policy_waits_for_the_reward_model_that_it_learned_from(
    project: Project, alice: User, adam: User, erins_browser: Client
) -> None:
    rank(project, alice)
    make_ranking(project=project)
    prompts = exported(project, "prompts")
    export = exported(project)
    reward = trained(export, "sky-1-rm", policy=project.policy)
    policy = trained(prompts, "sky-1-rloo", "rloo", policy=project.policy, reward_model=reward)
    assert policy.training_job is not None
    assert reward.training_job is not None
    beside = trained(prompts, "beside", policy=project.policy)
    assert isinstance(beside, RewardModel)
    policy.training_job.ensemble_models.add(beside)
    withdraw_all(project, alice, by=adam)
    refused = erins_browser.post(address("retrain_job", policy.training_job.id), follow=True)
    assert "Retrain sky-1-rm first" in refused.content.decode()
    erins_browser.post(address("rebuild_export", export.id))
    rebuilt = Export.objects.get(rebuilt_from=export)
    assert exports.build(rebuilt.id)
    rebuilt.refresh_from_db()
    again = trained(rebuilt, "sky-1-rm-2", policy=project.policy, retrained_from=reward.training_job)
    assert "Retrain sky-1-rloo" in text_of(erins_browser, "affected")
    erins_browser.post(address("retrain_job", policy.training_job.id))
    job = TrainingJob.objects.get(retrained_from=policy.training_job)
    assert (job.reward_model, job.export, job.output_name) == (again, prompts, "sky-1-rloo-2")
    assert list(job.ensemble_models.all()) == [beside]


def test_making_anew_is_for_engineers_and_reading_for_reviewers_too(
    project: Project, alice: User, adam: User, rita: User
) -> None:
    rank(project, alice)
    export = exported(project)
    reward = trained(export, "sky-rm", policy=project.policy)
    withdraw_all(project, alice, by=adam)
    assert reward.training_job is not None
    for browser, status in ((as_user(rita), 200), (as_user(alice), 403)):
        assert browser.get(address("affected")).status_code == status
        assert browser.post(address("rebuild_export", export.id)).status_code == 403
        assert browser.post(address("retrain_job", reward.training_job.id)).status_code == 403
    stranger = as_user(make_user(role="engineer"))
    assert stranger.get(address("affected")).status_code == 404
    assert stranger.post(address("rebuild_export", export.id)).status_code == 404
    assert not Export.objects.exclude(rebuilt_from=None).exists()


def test_a_verdict_says_that_it_rests_on_withdrawn_judgements_and_stays(
    project: Project, adam: User, erins_browser: Client
) -> None:
    better = make_policy(name="better", backend="openai", server_kind="vllm", server_url="http://x", server_model="m")
    fill_pool(project)
    evaluation = run_evaluation(project, better, better="better")
    promotion = promote(better, project=project, by=adam)
    before = evaluation.candidates.get()
    first, _ = User.objects.filter(rankings__comparison__evaluation=evaluation).distinct()
    assert "rests on" not in text_of(erins_browser, "evaluation", evaluation.id)
    withdrawal = withdraw_all(project, first, by=adam)
    page = text_of(erins_browser, "evaluation", evaluation.id)
    assert "rests on 20 judgements of 40 that were withdrawn since (50 %)" in page
    assert "<b>not decided</b>" in page
    candidate = evaluation.candidates.get()
    assert (candidate.verdict, candidate.looks) == (before.verdict, before.looks) == ("better", before.looks)
    said = "20 judgements withdrawn since"
    assert said in text_of(erins_browser, "rounds")
    assert said in erins_browser.get(reverse("model", args=(better.id,))).content.decode()
    affected = erins_browser.get(address("affected")).context["affected"]
    assert [one.candidate for one in affected.verdicts] == [candidate]
    assert affected.promotions == [promotion]
    assert (
        "20 rankings that were withdrawn are counted no more"
        in erins_browser.get(reverse("leaderboard")).content.decode()
    )
    from labeling.withdrawals import batches

    batches.undo(withdrawal, by=adam, reason="It was right.")
    assert "rests on" not in text_of(erins_browser, "evaluation", evaluation.id)


def test_from_a_ranking_forward_to_every_model_and_round(
    project: Project, alice: User, adam: User, erins_browser: Client
) -> None:
    ranking, other = rank(project, alice), make_ranking(project=project)
    export = exported(project, trainer_kinds=["person"])
    reward = trained(export, "sky-rm", policy=project.policy)
    policy = trained(exported(project, "prompts"), "sky-ppo", "ppo", policy=project.policy, reward_model=reward)
    Policy.objects.filter(id=policy.id).update(backend="openai", server_kind="vllm", server_url="x", server_model="m")
    policy.refresh_from_db()
    promoted = promote(policy, project=project, by=adam, reason="Tried.")
    found = erins_browser.get(address("ranking_forward", ranking.id)).context["found"]
    assert found.exports == [export]
    assert [(step.model, step.job) for step in found.steps] == [
        (reward, reward.training_job), (policy, policy.training_job)
    ]  # fmt: skip
    assert found.steps[1].promotions == [promoted]
    assert "round 2" in text_of(erins_browser, "ranking_forward", ranking.id)
    assert erins_browser.get(address("ranking_forward", other.id)).context["found"].exports == []


def test_its_author_is_told_yes_or_no_and_no_names(project: Project, alice: User, bob: User) -> None:
    ranking, outside = rank(project, alice), rank(project, alice)
    export = exported(project)
    Ranking.objects.filter(id=outside.id).update(ranked_at="2027-01-01T00:00:00Z")
    trained(export, "secret-rm", policy=project.policy)
    browser = as_user(alice)
    assert "Yes: it is in an export" in text_of(browser, "ranking_forward", ranking.id)
    assert "No: it is in no export" in text_of(browser, "ranking_forward", outside.id)
    page = text_of(browser, "ranking_forward", ranking.id)
    assert "secret-rm" not in page
    assert str(export.id) not in page
    assert as_user(bob).get(address("ranking_forward", ranking.id)).status_code == 404


def test_a_dialogue_leads_forward_too(project: Project, alice: User, bob: User, erins_browser: Client) -> None:
    dialogue = make_dialogue(project=project, author=alice, state="accepted")
    draft = make_dialogue(project=project, author=alice)
    export = exported(project, "demonstrations")
    model = trained(export, "sky-sft", "sft", policy=project.policy)
    found = erins_browser.get(address("dialogue_forward", dialogue.id)).context["found"]
    assert (found.exports, [step.model for step in found.steps]) == ([export], [model])
    assert "Yes: it is in an export" in text_of(as_user(alice), "dialogue_forward", dialogue.id)
    assert as_user(bob).get(address("dialogue_forward", dialogue.id)).status_code == 404
    assert erins_browser.get(address("dialogue_forward", draft.id)).status_code == 404


def test_a_gold_item_looks_like_work_to_its_author_and_to_nobody_else(
    project: Project, alice: User, rita: User, erins_browser: Client
) -> None:
    gold = make_reference(project=project).comparison
    hers, reviewers = (make_ranking(project=project, comparison=gold, trainer=person) for person in (alice, rita))
    export = exported(project)
    assert "Yes: it is in an export" in text_of(as_user(alice), "ranking_forward", hers.id)
    assert as_user(rita).get(address("ranking_forward", reviewers.id)).context["found"].exports == [export]
    assert as_user(rita).get(address("ranking_forward", hers.id)).context["found"].exports == []
    assert erins_browser.get(address("ranking_forward", hers.id)).context["found"].exports == []


def test_the_author_withdraws_a_better_answer_and_the_ranking_stays(project: Project, alice: User) -> None:
    ranking = rank(project, alice)
    written = better_answer(project, alice, ranking)
    browser = as_user(alice)
    assert "a better answer, written while ranking" in browser.get(reverse("history")).content.decode()
    page = text_of(browser, "take_out_dialogue", written.id)
    assert "Withdraw a better answer" in page
    assert "Paris, on the Seine." in page
    done = browser.post(address("take_out_dialogue", written.id), {"reason": "No."}, follow=True)
    assert "The better answer is withdrawn. Your ranking stays." in done.content.decode()
    assert (counts(ranking), counts(written)) == (True, False)
    browser.post(address("put_back_dialogue", written.id))
    assert counts(written)


def test_the_author_sees_no_way_back_from_an_admins_withdrawal(project: Project, alice: User, adam: User) -> None:
    ranking, dialogue, *_ = everything_of(project, alice)
    browser = as_user(alice)
    mending.withdraw(Ranking.objects.get(id=ranking.id), by=alice)
    assert address("put_back_ranking", ranking.id) in browser.get(reverse("history")).content.decode()
    withdraw_all(project, alice, by=adam)
    page = browser.get(reverse("history")).content.decode()
    assert address("put_back_ranking", ranking.id) not in page
    assert address("put_back_dialogue", dialogue.id) not in page
    assert ranking.lease is not None
    assert "It was taken out and does not count any more" in text_of(browser, "lease", ranking.lease.id)
    assert make_thumb(project=project).retracted_at is None
