"""From a report into the loop and back: a prompt compared, a demonstration written, a probe kept; each once."""

import pytest
from django.urls import reverse
from django.utils import timezone

from labeling.dialogues import editing, review
from labeling.models import (
    Case,
    Comparison,
    Dialogue,
    FollowUp,
    Policy,
    Probe,
    Project,
    Prompt,
    Report,
    TrainingJob,
    User,
)
from labeling.safety import follow_ups, reports
from labeling.safety.triage import TriageError
from labeling.sampling import comparisons
from tests.labeling.exports.material import exported, make_ranking
from tests.labeling.factories import make_comparison, make_policy
from tests.labeling.safety.test_reports import answer_of, reported
from tests.labeling.safety.test_triage import case_of, url
from tests.labeling.signed_in import as_user, page_of

pytestmark = pytest.mark.django_db
ASKED = [{"role": "user", "content": "Question 0?"}]


@pytest.fixture
def case(project: Project, alice: User) -> Case:
    return case_of(reported(project, alice, "Rome.", note="It is Paris."))


def trained_on(export: object, project: Project, name: str) -> Policy:
    job = TrainingJob.objects.create(
        project=project, kind="sft", output_name=name, export=export, state="done", policy=project.policy
    )
    return make_policy(name=name, training_job=job)


def compared(prompt: Prompt, project: Project) -> Comparison:
    """The comparison that the sweep asked for, sampled."""
    comparison = Comparison.objects.get(prompt=prompt)
    for index in range(4):
        comparison.completions.create(index=index, content=f"Answer {index}.", policy=project.policy)
    Comparison.objects.filter(id=comparison.id).update(state="done", open_slots=0)
    return Comparison.objects.get(id=comparison.id)


def test_a_report_becomes_a_prompt_that_the_round_compares(case: Case, rita: User) -> None:
    project = case.project
    made = follow_ups.follow_up(case, "prompt", by=rita)
    assert made.prompt is not None
    assert (made.prompt.messages, made.prompt.source, made.prompt.created_by) == (ASKED, "report", rita)
    assert follow_ups.follow_up(case, "prompt", by=rita).id == made.id
    project.rounds.update(closed_at=timezone.now())
    assert follow_ups.compare_reported(project) == 0  # it waits for the next round
    project.rounds.create(number=2, policy=project.policy, seed=1)
    assert follow_ups.compare_reported(project) == 1
    assert follow_ups.compare_reported(project) == 0
    made.refresh_from_db()
    assert made.comparison is not None
    assert (made.comparison.prompt, made.comparison.round.number) == (made.prompt, 2)  # type: ignore[union-attr]
    assert comparisons.open_round(project) == made.comparison.round
    assert Prompt.objects.count() == 1


def test_lineage_goes_forward_to_the_models_and_back_to_the_report(case: Case, rita: User, erin: User) -> None:
    project = case.project
    made = follow_ups.follow_up(case, "prompt", by=rita)
    follow_ups.compare_reported(project)
    assert made.prompt is not None
    comparison = compared(made.prompt, project)
    ranking = make_ranking(project=project, comparison=comparison, trainer=rita)
    export = exported(project)
    policy = trained_on(export, project, "taught-by-a-report")
    (came,) = follow_ups.came_of(case)
    assert (came.comparisons, came.num_rankings, came.exports) == ([comparison], 1, [export])
    assert came.models == [policy]
    page = page_of(as_user(rita), url("case", case))
    assert "taught-by-a-report" in page
    forward = page_of(as_user(rita), reverse("ranking_forward", args=(project.slug, ranking.id)))
    assert url("case", case) in forward
    prompts = page_of(as_user(erin), reverse("prompts", args=(project.slug,)))
    assert "from a report" in prompts
    assert url("case", case) not in prompts  # an engineer does not triage
    Comparison.objects.filter(id=comparison.id).update(distance=0.5)
    disputed = page_of(as_user(rita), reverse("disagreement", args=(project.slug, comparison.id)) + "?show=yes")
    assert url("case", case) in disputed


def test_a_report_becomes_a_demonstration_of_whoever_asks_for_it(case: Case, rita: User) -> None:
    answer = as_user(rita).post(url("follow_case", case), {"kind": "demonstration"})
    draft = Dialogue.objects.get(kind="demonstration")
    assert answer.headers["Location"] == reverse("dialogue", args=(case.project.slug, draft.id))
    assert (draft.state, draft.author, draft.source) == ("draft", rita, "report")
    assert [one.plain for one in draft.messages.all()] == ASKED
    editing.add_message(draft, role="assistant", content="Paris.", by=rita)
    Dialogue.objects.filter(id=draft.id).update(state="submitted", submitted_at=timezone.now())
    draft.refresh_from_db()
    review.accept(draft, by=User.objects.create_user("rob", role="reviewer"))
    export = exported(case.project, "demonstrations")
    policy = trained_on(export, case.project, "shown-how")
    (came,) = follow_ups.came_of(case)
    assert (came.exports, came.models) == ([export], [policy])


def test_a_report_becomes_a_probe_that_no_policy_learns_from(case: Case, rita: User) -> None:
    assert as_user(rita).post(url("follow_case", case), {"kind": "probe"}).status_code == 302
    as_user(rita).post(url("follow_case", case), {"kind": "probe"})
    probe = Probe.objects.get()
    assert (probe.messages, probe.answer, probe.kind, probe.why) == (ASKED, "Rome.", "false", "It is Paris.")
    assert not Prompt.objects.exists()
    assert "kept, and learnt from by no policy" in page_of(as_user(rita), url("case", case))
    assert as_user(rita).post(url("follow_case", case), {"kind": "novel"}).status_code == 422


def test_what_was_reported_without_consent_becomes_a_probe_only(project: Project, alice: User, rita: User) -> None:
    case = case_of(reported(project, alice, may_train=False))
    for kind in ("prompt", "demonstration"):
        with pytest.raises(TriageError, match="not agreed that models learn"):
            follow_ups.follow_up(case, kind, by=rita)
    assert follow_ups.follow_up(case, "probe", by=rita).probe is not None
    other = case_of(reported(project, alice, "Lyon."))
    assert reports.forbid_training(alice) == 1
    with pytest.raises(TriageError):
        follow_ups.follow_up(other, "prompt", by=rita)
    assert not Prompt.objects.exists()


def test_a_case_of_which_nothing_can_be_made_says_why(project: Project, alice: User, rita: User) -> None:
    row = reported(project, alice)
    Report.objects.filter(id=row.id).update(messages=[])
    with pytest.raises(TriageError, match="not known any more"):
        follow_ups.follow_up(case_of(row), "probe", by=rita)
    project.archived_at = timezone.now()
    project.save()
    archived = case_of(reported(project, alice, "Lyon."))
    with pytest.raises(TriageError, match="archived"):
        follow_ups.follow_up(archived, "prompt", by=rita)
    assert not FollowUp.objects.exists()


def test_a_prompt_that_is_in_the_pool_already_is_used_and_a_retired_one_comes_back(case: Case, rita: User) -> None:
    first = follow_ups.follow_up(case, "prompt", by=rita).prompt
    assert first is not None
    Prompt.objects.filter(id=first.id).update(retired_at=timezone.now())
    other = case_of(reported(case.project, rita, "Lyon."))
    again = follow_ups.follow_up(other, "prompt", by=rita).prompt
    assert again is not None
    assert (again.id, Prompt.objects.get().retired_at) == (first.id, None)


def test_a_report_from_the_board_knows_what_was_asked_there(project: Project, alice: User) -> None:
    comparison = make_comparison(project=project)
    row, _ = reports.report(project, by=alice, completion=comparison.completions.all()[0], kind="false")
    assert row.messages == comparison.messages
    assert answer_of(alice, project).dialogue.project == project
