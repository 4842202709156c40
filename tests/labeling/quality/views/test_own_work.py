"""The lists of My work: what each line leads to, the filters, and withdrawing with what it touches."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling.dialogues import chat, review
from labeling.dialogues.rules import WritingError
from labeling.models import (
    AuditEvent,
    Comparison,
    Completion,
    Dialogue,
    Export,
    Lease,
    Project,
    Ranking,
    SamplingRun,
    TrainingJob,
    User,
)
from labeling.rankings import assignment, corrections, mending
from labeling.rankings.submission import Submission
from tests.answering import send_result
from tests.labeling.exports.material import exported
from tests.labeling.factories import (
    make_chat,
    make_comparison,
    make_dialogue,
    make_policy,
    make_project,
    make_reference,
    make_user,
    places_of,
)
from tests.labeling.rankings.at_work import claim, in_shown_order
from tests.labeling.signed_in import as_user, page_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky")


@pytest.fixture
def client(alice: User) -> Client:
    return as_user(alice)


def rank(project: Project, by: User, **fields: Any) -> Ranking:
    make_comparison(project=project)
    lease = claim(project, by)
    ranking = assignment.submit(lease, in_shown_order(lease, **fields), key=uuid.uuid4(), by=by).ranking
    assert ranking is not None
    return ranking


def change(ranking: Ranking, by: User) -> Ranking:
    lease = Lease.objects.get(id=ranking.lease_id)
    order = Submission(tiers=(tuple(lease.shown_order),))
    return mending.change(lease, order, key=mending.change_key(ranking.id), by=by)


def choose_in_chat(project: Project, by: User) -> Ranking:
    dialogue = make_chat(project=project, author=by, num_turns=0)
    run = chat.say(dialogue, content="Which colour?", num_drafts=2, by=by)
    SamplingRun.objects.filter(pk=run.pk).update(state=SamplingRun.State.SENT, attempt=1)
    run.refresh_from_db()
    send_result(run, "Red.", "Green.")
    chat.choose(dialogue, Completion.objects.select_related("run").get(content="Green."), by=by)
    return Ranking.objects.get(is_choice=True)


def listed(client: Client, **given: str) -> tuple[list[Any], list[Any]]:
    """The ids of the rankings and of the dialogues that are shown."""
    work = client.get(reverse("history"), given).context["work"]
    return tuple([row.pk for row in found.rows] if found else [] for found in (work.rankings, work.dialogues))  # type: ignore[return-value]


def test_each_line_opens_what_it_names(client: Client, project: Project, alice: User) -> None:
    old = rank(project, alice)
    new, choice = change(old, alice), choose_in_chat(project, alice)
    written = make_dialogue(project=project, author=alice)
    better = corrections.write_better(
        Lease.objects.get(id=new.lease_id), content="A better answer.", key=uuid.uuid4(), by=alice
    )
    work = client.get(reverse("history")).context["work"]
    ranking_url = reverse("lease", args=("sky", new.lease_id))
    chat_url = reverse("chat_dialogue", args=("sky", choice.comparison.dialogue_id))
    assert {row.pk: row.url for row in work.rankings.rows} == {
        old.id: ranking_url,
        new.id: ranking_url,
        choice.id: chat_url,
    }
    urls = {row.pk: row.url for row in work.dialogues.rows}
    assert (urls[written.pk], urls[better.pk]) == tuple(
        reverse("dialogue", args=("sky", one.pk)) for one in (written, better)
    )
    addresses = [*urls.values(), ranking_url, chat_url]
    assert {address: client.get(address).status_code for address in addresses} == dict.fromkeys(addresses, 200)


def test_the_unacceptable_line_stands_in_the_order(client: Client, project: Project, alice: User) -> None:
    rank(project, alice, unacceptable_from=2)
    rank(project, alice, unacceptable_from=0)
    page = page_of(client, reverse("history"))
    assert "A &gt; B | C &gt; D" in page
    assert "| A &gt; B &gt; C &gt; D" in page


def test_strengths_stand_in_the_order_as_signs(client: Client, project: Project, alice: User) -> None:
    rank(project, alice)
    assert "far better" not in page_of(client, reverse("history"))
    rank(project, alice, strengths=(1, 3, 2))
    rank(project, alice, strengths=(2, 3, 1), unacceptable_from=2)
    page = page_of(client, reverse("history"))
    assert "A &gt; B ⋙ C ≫ D" in page
    assert "A ≫ B ⋙ | C &gt; D" in page
    assert page.count("⋙ far better") == 1


def test_work_is_told_by_kind_project_state_and_days(client: Client, project: Project, alice: User) -> None:
    other = make_project(slug="sea")
    other.memberships.create(user=alice)
    old = rank(project, alice)
    new, elsewhere = change(old, alice), rank(other, alice)
    abstained = rank(project, alice)
    Ranking.objects.filter(id=abstained.id).update(abstained="Not my subject", tiers=[])
    Ranking.objects.filter(id=elsewhere.id).update(ranked_at=timezone.now() - timedelta(days=8))
    gone = rank(project, alice)
    mending.withdraw(gone, by=alice)
    draft = make_dialogue(project=project, author=alice)
    conversation = make_chat(project=other, author=alice)
    lease = Lease.objects.get(id=new.lease_id)
    better = corrections.write_better(lease, content="A better answer.", key=uuid.uuid4(), by=alice)
    withdrawn = make_dialogue(project=project, author=alice, state="withdrawn")

    assert set(listed(client)[0]) == {old.id, new.id, elsewhere.id, abstained.id, gone.id}
    assert set(listed(client)[1]) == {draft.id, conversation.id, better.id}
    assert listed(client, kind="rankings")[1] == []
    assert [set(listed(client, kind=kind)[1]) for kind in ("written", "chats", "better")] == [
        {draft.id},
        {conversation.id},
        {better.id},
    ]
    assert listed(client, project="sea") == ([elsewhere.id], [conversation.id])
    assert set(listed(client, state="counts")[0]) == {new.id, elsewhere.id, abstained.id}
    assert listed(client, state="abstained") == ([abstained.id], [])
    assert listed(client, state="changed") == ([old.id], [])
    assert listed(client, state="withdrawn") == ([gone.id], [withdrawn.id])
    assert listed(client, state="submitted") == ([], [better.id])
    assert elsewhere.id not in listed(client, days="7")[0]
    assert elsewhere.id in listed(client, days="30")[0]


def test_the_days_begin_at_midnight_in_the_zone_of_the_account(client: Client, project: Project, alice: User) -> None:
    User.objects.update(time_zone="Pacific/Kiritimati")
    with timezone.override("Pacific/Kiritimati"):
        midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    today, yesterday = rank(project, alice), rank(project, alice)
    Ranking.objects.filter(id=today.id).update(ranked_at=midnight)
    Ranking.objects.filter(id=yesterday.id).update(ranked_at=midnight - timedelta(seconds=1))
    assert listed(client, days="1")[0] == [today.id]


@pytest.mark.usefixtures("store")
def test_a_withdrawal_says_first_what_it_touches(client: Client, project: Project, alice: User) -> None:
    ranking = rank(project, alice)
    url = reverse("withdraw_ranking", args=("sky", ranking.id))
    assert "No export holds it." in page_of(client, url)
    export = exported(project)
    exported(project, trainers=["t-somebody"])
    job = TrainingJob.objects.create(
        project=project, kind="sft", output_name="x", export=export, policy=project.policy, state="done"
    )
    make_policy(name="learned", training_job=job)
    page = page_of(client, url)
    assert "1 export holds it" in page
    assert "1 model learned from them" in page
    assert Ranking.objects.get().retracted_at is None
    answer = client.post(url, {"reason": "I had not read D."}, follow=True)
    assert "The ranking is withdrawn and counts no more." in answer.content.decode()
    assert [row.pk for row in answer.context["work"].rankings.rows] == [ranking.id]
    assert AuditEvent.objects.get(verb="withdraw ranking").detail == {"reason": "I had not read D."}
    assert places_of(ranking.comparison) == (1, 1, 0, 0)
    assert "nothing to withdraw" in page_of(client, url)
    assert "does not count any more" in client.post(url, follow=True).content.decode()
    assert "You withdrew it" in page_of(client, reverse("lease", args=("sky", ranking.lease_id)))
    back = client.post(reverse("put_back_ranking", args=("sky", ranking.id)), follow=True)
    assert "The ranking counts again." in back.content.decode()
    assert places_of(ranking.comparison) == (1, 0, 0, 1)


def test_the_undo_is_refused_where_the_place_is_taken(client: Client, project: Project, alice: User) -> None:
    ranking = rank(project, alice)
    mending.withdraw(ranking, by=alice)
    claim(project, make_user(username="bob", projects=[project]))
    answer = client.post(reverse("put_back_ranking", args=("sky", ranking.id)), follow=True)
    assert "Somebody else took its place meanwhile" in answer.content.decode()
    assert Ranking.objects.get().retracted_at is not None


@pytest.mark.usefixtures("store")
def test_a_judgement_on_two_policies_is_held_by_no_export(client: Client, project: Project, alice: User) -> None:
    rank(project, alice)
    judged = rank(project, alice)
    Comparison.objects.filter(id=judged.comparison_id).update(use=Comparison.Use.EVALUATION)
    exported(project)
    Export.objects.update(format="openrlhf")  # told by its filters, which know no use
    assert "No export holds it." in page_of(client, reverse("withdraw_ranking", args=("sky", judged.id)))


@pytest.mark.usefixtures("store")
def test_a_gold_item_does_not_stand_out_by_what_holds_it(client: Client, project: Project, alice: User) -> None:
    work = rank(project, alice)
    Project.objects.update(gold_every=1)
    make_reference(project=project)
    lease = claim(Project.objects.get(), alice)
    gold = assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=alice).ranking
    assert gold is not None
    assert (work.comparison.use, gold.comparison.use) == ("work", "gold")
    exported(project)
    exported(project, since="2030-01-01")
    pages = [page_of(client, reverse("withdraw_ranking", args=("sky", one.id))) for one in (work, gold)]
    assert ["1 export holds it" in page for page in pages] == [True, True]


def test_a_choice_in_a_chat_is_withdrawn_and_its_drafts_are_offered_to_nobody(
    client: Client, project: Project, alice: User
) -> None:
    choice = choose_in_chat(project, alice)
    client.post(reverse("withdraw_ranking", args=("sky", choice.id)))
    assert (choice.comparison.rankings.filter(retracted_at=None).count(), places_of(choice.comparison)) == (
        0,
        (1, 1, 0, 0),
    )
    assert choice.comparison.state == Comparison.State.WITHDRAWN
    client.post(reverse("put_back_ranking", args=("sky", choice.id)))
    assert places_of(choice.comparison) == (1, 0, 0, 1)
    assert choice.comparison.state == Comparison.State.DONE


def test_only_their_author_withdraws_and_puts_back(project: Project, alice: User) -> None:
    ranking, dialogue = rank(project, alice), make_dialogue(project=project, author=alice)
    gone = make_dialogue(project=project, author=alice)
    review.withdraw(gone, by=alice)
    addresses = [
        reverse("withdraw_ranking", args=("sky", ranking.id)),
        reverse("put_back_ranking", args=("sky", ranking.id)),
        reverse("take_out_dialogue", args=("sky", dialogue.id)),
        reverse("put_back_dialogue", args=("sky", gone.id)),
    ]
    for other in (make_user(username="bob", projects=[project]), make_user(username="adam", role="admin")):
        assert [as_user(other).post(address).status_code for address in addresses] == [404] * 4
    assert Ranking.objects.get().retracted_at is None
    assert list(Dialogue.objects.order_by("created_at").values_list("state", flat=True)) == ["draft", "withdrawn"]


@pytest.mark.usefixtures("store")
def test_a_dialogue_is_withdrawn_with_what_it_touches_and_put_back_as_it_was(
    client: Client, project: Project, alice: User
) -> None:
    dialogue = make_dialogue(project=project, author=alice, state="accepted")
    exported(project, kind="demonstrations")
    url = reverse("take_out_dialogue", args=("sky", dialogue.id))
    assert "1 export holds it" in page_of(client, url)
    answer = client.post(url, {"reason": "Not mine to give."}, follow=True)
    assert [row.put_back_url != "" for row in answer.context["work"].dialogues.rows] == [True]
    assert AuditEvent.objects.get(verb="withdraw dialogue").detail["reason"] == "Not mine to give."
    client.post(reverse("put_back_dialogue", args=("sky", dialogue.id)))
    dialogue.refresh_from_db()
    assert dialogue.state == "accepted"
    assert client.post(reverse("put_back_dialogue", args=("sky", dialogue.id))).status_code == 404


def test_what_an_admin_withdrew_its_author_does_not_put_back(client: Client, project: Project, alice: User) -> None:
    dialogue = make_dialogue(project=project, author=alice, state="accepted")
    review.withdraw(dialogue, by=make_user(username="adam", role="admin"))
    rows = client.get(reverse("history"), {"state": "withdrawn"}).context["work"].dialogues.rows
    assert [row.put_back_url for row in rows] == [""]
    with pytest.raises(WritingError, match="An admin knows why"):
        review.put_back(dialogue, by=alice)
    client.post(reverse("put_back_dialogue", args=("sky", dialogue.id)))
    dialogue.refresh_from_db()
    assert dialogue.state == "withdrawn"
