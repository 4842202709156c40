"""Appeals: whose they are, who decides, and what comes of it."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from labeling.models import Appeal, AuditEvent, Delivery, Project, Report, Screening, User, Webhook, Withheld
from labeling.safety import appeals
from labeling.safety.appeals import AlreadyDone, AppealError
from tests.labeling.factories import make_comparison, make_user
from tests.labeling.overlapping import overlap
from tests.labeling.safety.material import SAID, again, chat_of, make_drawn, make_screening

pytestmark = pytest.mark.django_db
SHOWN, HIDDEN = "They walked on.", " Then the fight began."


@pytest.fixture
def blocked(project: Project, alice: User) -> Screening:
    return make_screening(project=project, person=alice, text=SHOWN, withheld=HIDDEN)


def test_who_is_blocked_appeals_once_and_a_webhook_is_told(project: Project, alice: User, blocked: Screening) -> None:
    Webhook.objects.create(project=project, url="https://example.org/", events=["appeal.opened"])
    made = appeals.appeal(blocked, alice, " It is a story. ")
    assert (made.state, made.why, made.person) == ("open", "It is a story.", alice)
    assert '"category": "V"' in Delivery.objects.get().body
    assert AuditEvent.objects.get(verb="appeal").by == alice
    with pytest.raises(AlreadyDone, match="appealed already"):
        appeals.appeal(again(blocked), alice, "Again.")
    assert [one.id for one in appeals.appeals_of(alice)] == [made.id]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"days_ago": 184}, "six months"),
        ({"verdict": "pass"}, "did nothing"),
        ({"in_shadow": True}, "did nothing"),
        ({"acted": False}, "did nothing"),
    ],
    ids=["late", "passed", "in shadow", "a rule in shadow"],
)
def test_what_cannot_be_appealed_against_says_why(
    project: Project, alice: User, fields: dict[str, Any], why: str
) -> None:
    with pytest.raises(AppealError, match=why):
        appeals.appeal(make_screening(project=project, person=alice, **fields), alice, "")
    assert not Appeal.objects.exists()


def test_a_warning_of_five_months_ago_can_be_appealed_against_too(project: Project, alice: User) -> None:
    warned = make_screening(project=project, person=alice, verdict="warn", days_ago=150)
    assert appeals.appeal(warned, alice, "").screening == warned


def test_nobody_appeals_for_another(bob: User, blocked: Screening) -> None:
    with pytest.raises(AppealError, match="whose text"):
        appeals.appeal(blocked, bob, "")


def test_a_person_has_at_most_so_many_open(project: Project, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appeals, "MOST_OPEN", 2)
    for _ in range(2):
        appeals.appeal(make_screening(project=project, person=alice), alice, "")
    with pytest.raises(AppealError, match="2 open appeals"):
        appeals.appeal(make_screening(project=project, person=alice), alice, "")


@pytest.mark.django_db(transaction=True)
def test_two_appeals_at_once_do_not_pass_the_limit(
    project: Project, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appeals, "MOST_OPEN", 1)
    one, other = (make_screening(project=project, person=alice) for _ in range(2))
    with pytest.raises(AppealError, match="1 open appeals"):
        overlap(lambda: appeals.appeal(one, alice, ""), lambda: appeals.appeal(other, alice, ""))
    assert Appeal.objects.count() == 1


def had_no_part(_found: Appeal, _rita: User) -> None:
    return


def wrote_it(found: Appeal, rita: User) -> None:
    chat = chat_of(found.screening)
    chat.author = rita
    chat.save()


def asked_for_it(found: Appeal, rita: User) -> None:
    found.screening.run.requested_by = rita
    found.screening.run.save()


def reviewed_it(found: Appeal, rita: User) -> None:
    chat = chat_of(found.screening)
    chat.reviewed_by = rita
    chat.save()


def labelled_it(found: Appeal, rita: User) -> None:
    make_drawn(screening=found.screening).labels.create(project=found.project, by=rita, answers={"V": "no"})


def reported_it(found: Appeal, rita: User) -> None:
    Report.objects.create(project=found.project, completion=found.screening.completion, reporter=rita, content="x")


def triaged_it(found: Appeal, rita: User) -> None:
    report = Report.objects.create(project=found.project, screening=found.screening, content="x")
    AuditEvent.note("handle report", report, by=rita)


def appealed(found: Appeal, rita: User) -> None:
    found.person = rita
    found.save()


@pytest.mark.parametrize(
    "part", [had_no_part, wrote_it, asked_for_it, reviewed_it, labelled_it, reported_it, triaged_it, appealed]
)
def test_who_had_a_part_in_a_text_neither_reads_nor_decides(
    project: Project, alice: User, rita: User, blocked: Screening, part: Any
) -> None:
    found = appeals.appeal(blocked, alice, "")
    part(found, rita)
    found = Appeal.objects.get()
    assert appeals.open_to(project, rita).exists() == (part is had_no_part)
    if part is had_no_part:
        assert appeals.reveal(found, by=rita) == SHOWN + HIDDEN
        assert AuditEvent.objects.get(verb="read appealed text").by == rita
        return
    with pytest.raises(AppealError, match="not yours"):
        appeals.reveal(found, by=rita)
    with pytest.raises(AppealError, match="part in this text"):
        appeals.decide(found, by=rita, overturns=True, reply="Right you are.")
    assert Appeal.objects.get().state == "open"


def test_overturned_the_text_is_shown_again_where_it_was_cut(alice: User, rita: User, blocked: Screening) -> None:
    found = appeals.appeal(blocked, alice, "It is a story.")
    chat = chat_of(blocked)
    appeals.decide(found, by=rita, overturns=True, reply="A story it is.")
    screening = again(blocked)
    assert screening.completion.content == SHOWN + HIDDEN
    assert chat.messages.get(role="assistant").content == SHOWN + HIDDEN
    assert not Withheld.objects.exists()
    assert screening.whole_text == SHOWN + HIDDEN
    before = chat.version
    chat.refresh_from_db()
    assert chat.version == before + 1, "an open page must notice that a message has changed"


def test_what_its_author_edited_since_stays_as_they_have_it(alice: User, rita: User, blocked: Screening) -> None:
    chat_of(blocked).messages.filter(role="assistant").update(content="Mine now.")
    appeals.decide(appeals.appeal(blocked, alice, ""), by=rita, overturns=True, reply="Yes.")
    assert chat_of(blocked).messages.get(role="assistant").content == "Mine now."
    assert again(blocked).completion.content == SHOWN + HIDDEN


def test_a_completion_that_people_rank_stays_as_they_see_it(
    project: Project, alice: User, rita: User, blocked: Screening
) -> None:
    blocked.completion.comparison = make_comparison(project=project)
    blocked.completion.index = 9
    blocked.completion.save()
    appeals.decide(appeals.appeal(again(blocked), alice, ""), by=rita, overturns=True, reply="Yes.")
    assert (again(blocked).completion.content, Withheld.objects.get().content) == (SHOWN, HIDDEN)


def test_upheld_nothing_is_shown_and_the_reply_is(alice: User, rita: User, blocked: Screening) -> None:
    decided = appeals.decide(appeals.appeal(blocked, alice, ""), by=rita, overturns=False, reply="It shows a fight.")
    assert (decided.state, decided.reply, decided.decided_by) == ("upheld", "It shows a fight.", rita)
    assert again(blocked).completion.content == SHOWN
    assert Withheld.objects.get().content == HIDDEN


def test_a_decision_without_a_reply_is_none(alice: User, rita: User, blocked: Screening) -> None:
    with pytest.raises(AppealError, match="reply is required"):
        appeals.decide(appeals.appeal(blocked, alice, ""), by=rita, overturns=True, reply=" \n")


@pytest.mark.parametrize(("overturns", "answer"), [(True, "no"), (False, "yes")])
def test_a_decision_leaves_a_label_of_its_category_alone(
    alice: User, rita: User, blocked: Screening, overturns: bool, answer: str
) -> None:
    appeals.decide(appeals.appeal(blocked, alice, ""), by=rita, overturns=overturns, reply="So.")
    drawn = again(blocked).drawn
    label = drawn.labels.get()
    assert (label.answers, label.by, label.by_decision) == ({"V": answer}, rita, True)
    assert (drawn.came_by, drawn.inclusion, drawn.num_labels) == ("appeal", None, 0)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_decide_at_once_one_wins(project: Project, alice: User, rita: User) -> None:
    found = appeals.appeal(make_screening(project=project, person=alice, withheld=HIDDEN), alice, "")
    adam = make_user(username="adam")
    with pytest.raises(AlreadyDone, match="Somebody else"):
        overlap(
            lambda: appeals.decide(found, by=rita, overturns=True, reply="Wrong."),
            lambda: appeals.decide(Appeal.objects.get(), by=adam, overturns=False, reply="Right."),
        )
    decided = Appeal.objects.get()
    assert (decided.state, decided.reply, decided.decided_by) == ("overturned", "Wrong.", rita)


def test_words_whose_block_was_overturned_pass_by_that_rule_in_that_project(
    project: Project, alice: User, rita: User
) -> None:
    said = make_screening(project=project, person=alice, text="How do I kill a process?", side=SAID)
    excused = Appeal.objects.excused_categories
    found = appeals.appeal(said, alice, "")
    assert excused(project, said.text_sha256) == set()
    appeals.decide(found, by=rita, overturns=True, reply="Of computers.")
    assert excused(project, said.text_sha256) == {"V"}
    assert excused(project, "0" * 64) == set()
    elsewhere = Project.objects.create(slug="other", name="Other", policy=project.policy)
    assert excused(elsewhere, said.text_sha256) == set()


def test_an_upheld_block_and_an_answers_block_excuse_nothing(project: Project, alice: User, rita: User) -> None:
    for side, overturns in ((SAID, False), ("answered", True)):
        screening = make_screening(project=project, person=alice, side=side, text="The same.")
        appeals.decide(appeals.appeal(screening, alice, ""), by=rita, overturns=overturns, reply="So.")
        assert Appeal.objects.excused_categories(project, screening.text_sha256) == set()


def test_the_oldest_waits_first(project: Project, alice: User, rita: User) -> None:
    made = [appeals.appeal(make_screening(project=project, person=alice), alice, "") for _ in range(3)]
    Appeal.objects.filter(id=made[2].id).update(created_at=timezone.now() - timedelta(days=2))
    assert [one.id for one in appeals.open_to(project, rita)] == [made[2].id, made[0].id, made[1].id]
