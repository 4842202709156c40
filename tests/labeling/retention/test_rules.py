"""What is kept for how long: each rule takes what is old enough and nobody's finished work; by default none is used."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from labeling import environment
from labeling.models import (
    Appeal,
    AuditEvent,
    Comparison,
    Completion,
    Dialogue,
    Filter,
    Project,
    Ranking,
    Screening,
    User,
    Withheld,
)
from labeling.retention import audit, rules
from tests.labeling.factories import make_chat, make_comparison, make_dialogue, make_run
from tests.labeling.retention.test_people import rank

pytestmark = pytest.mark.django_db
LONG_AGO = timezone.now() - timedelta(days=400)


def aged(dialogue: Dialogue) -> Dialogue:
    Dialogue.objects.filter(pk=dialogue.pk).update(updated_at=LONG_AGO)
    return dialogue


def withheld_text(project: Project) -> Withheld:
    completion = make_comparison(project=project).completions.first()
    seen = Screening.objects.create(
        project=project, filter=Filter.objects.bundled(), completion=completion, side="answered", text_sha256="0" * 64,
        verdict="block",
    )  # fmt: skip
    Screening.objects.filter(pk=seen.pk).update(created_at=LONG_AGO)
    return Withheld.objects.create(screening=seen, content="withheld")


def test_without_a_setting_everything_is_kept(project: Project, alice: User) -> None:
    aged(make_dialogue(project=project, author=alice))
    aged(make_chat(project=project, author=alice))
    withheld_text(project)
    assert rules.forget() == 0
    assert (Dialogue.objects.count(), Withheld.objects.count()) == (2, 1)


def test_drafts_go_and_work_that_was_ever_handed_in_stays(project: Project, alice: User, settings: Any) -> None:
    settings.KEEP_DAYS = {"drafts": 365}
    gone, young = aged(make_dialogue(project=project, author=alice)), make_dialogue(project=project, author=alice)
    kept = [aged(make_dialogue(project=project, author=alice, state=one)) for one in Dialogue.State.values[1:]]
    kept.append(aged(make_dialogue(project=project, author=alice, submitted_at=LONG_AGO)))
    assert rules.forget() == 1
    assert set(Dialogue.objects.all()) == {young, *kept}
    assert not Dialogue.objects.filter(pk=gone.pk).exists()
    assert AuditEvent.objects.get(verb="erase dialogues").by is None  # Parley did it, not its author


def test_chats_that_somebody_ranked_stay(project: Project, alice: User, bob: User, settings: Any) -> None:
    settings.KEEP_DAYS = {"chats": 365}
    aged(make_chat(project=project, author=alice))
    ranked = aged(make_chat(project=project, author=alice))
    rank(make_comparison(project=project, dialogue=ranked), bob)
    assert rules.forget() == 1
    assert list(Dialogue.objects.all()) == [ranked]
    assert Ranking.objects.exists()


def test_suggestions_that_nobody_took_go_once_their_dialogue_is_decided_on(
    project: Project, alice: User, settings: Any
) -> None:
    settings.KEEP_DAYS = {"suggestions": 30}
    for state in ("draft", "accepted"):
        dialogue = aged(make_dialogue(project=project, author=alice, state=state))
        for taken_at in (None, LONG_AGO):
            run = make_run(project=project, dialogue=dialogue)
            Completion.objects.create(run=run, content=f"{state} {taken_at}", taken_at=taken_at)
    Completion.objects.update(created_at=LONG_AGO)
    make_comparison(project=project)
    assert rules.forget() == 1
    assert not Completion.objects.filter(content="accepted None").exists()
    assert Completion.objects.count() == 3 + 4
    assert Comparison.objects.exists()


def test_withheld_texts_stay_while_somebody_is_to_judge_them(project: Project, alice: User, settings: Any) -> None:
    settings.KEEP_DAYS = {"withheld": 190}
    appealed = withheld_text(project)
    Appeal.objects.create(project=project, screening=appealed.screening, person=alice)
    withheld_text(project)
    assert rules.forget() == 1
    assert list(Withheld.objects.all()) == [appealed]


def test_old_audit_events_go_by_the_owner_alone_and_leave_an_event(
    project: Project, alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.KEEP_DAYS = {"audit": 365}
    old = AuditEvent.objects.create(verb="old", subject_type="project", subject_id="1")
    with audit._maintenance() as cursor:
        cursor.execute("UPDATE labeling_auditevent SET at = %s", [LONG_AGO])
    young = AuditEvent.note("young", project, by=alice)
    with monkeypatch.context() as another_role:
        another_role.setattr(audit, "is_owner", lambda: False)
        assert rules.forget() == 0
    assert AuditEvent.objects.filter(pk=old.pk).exists()
    assert rules.forget() == 1
    assert set(AuditEvent.objects.values_list("verb", flat=True)) == {"young", "forget events"}
    assert AuditEvent.objects.get(verb="forget events").detail["num"] == 1
    with pytest.raises(Exception, match="The audit only grows"):  # the way past it is closed again
        young.delete()


@pytest.mark.parametrize("value", ["drafts", "drafts=soon", "drafts=1", "rankings=365", "withheld=30", "audit=-400"])
def test_a_number_of_days_that_cannot_be_meant_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_KEEP_DAYS", value)
    with pytest.raises(ImproperlyConfigured, match="PARLEY_KEEP_DAYS"):
        environment.days("PARLEY_KEEP_DAYS", least={"drafts": 30, "withheld": 190, "audit": 365})
