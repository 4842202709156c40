"""Texts written while ranking: whose words they are, and when and for whom they are ranked themselves."""

import uuid
from typing import Any

import pytest
from django.db.models.functions import Now

from labeling.dialogues import editing, review
from labeling.dialogues.rules import WritingError
from labeling.models import AuditEvent, Comparison, Completion, Dialogue, Lease, Message, Project, Round, User
from labeling.rankings import assignment, corrections, mending
from labeling.rankings.assignment import Nothing
from labeling.sampling import comparisons
from tests.labeling.factories import make_chat, make_comparison, make_users, places_of
from tests.labeling.rankings.at_work import claim, in_shown_order

pytestmark = pytest.mark.django_db(transaction=True)

BETTER = "Paris, on the Seine."


@pytest.fixture
def held(project: Project, alice: User) -> Lease:
    make_comparison(project=project, round=project.current_round)
    return claim(project, alice)


def rank(lease: Lease) -> None:
    assert assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=lease.trainer).ranking is not None


def write(lease: Lease, content: str = BETTER, **more: Any) -> Dialogue:
    return corrections.write_better(lease, content=content, key=uuid.uuid4(), by=lease.trainer, **more)


def joined(held: Lease, rita: User) -> Comparison:
    """A text of the lease's holder, accepted, in a comparison of its own."""
    dialogue = write(held)
    rank(held)
    review.accept(dialogue, by=rita)
    assert corrections.create_comparisons_from_corrections(held.comparison.project) == 1
    return Comparison.objects.exclude(id=held.comparison_id).get(family=held.comparison)


def test_a_typed_text_is_a_demonstration_that_waits_for_review(held: Lease, alice: User) -> None:
    dialogue = write(held, seconds=12.0)
    assert (dialogue.kind, dialogue.author, dialogue.lease, dialogue.seconds) == ("demonstration", alice, held, 12.0)
    dialogue.refresh_from_db()
    assert dialogue.state == Dialogue.State.SUBMITTED
    assert dialogue.submitted_at is not None
    assert dialogue.guideline_version == held.comparison.project.guidelines
    asked, answer = dialogue.messages.order_by("position")
    assert (asked.content, asked.role) == (held.comparison.messages[0]["content"], "user")
    assert (answer.content, answer.authorship, answer.edit_distance) == (BETTER, "typed", None)


def test_a_corrected_completion_is_edited_with_its_distance(held: Lease) -> None:
    completion = Completion.objects.get(comparison=held.comparison, index=1)
    answer = write(held, "Answer 1!!", completion=completion).messages.get(role="assistant")
    assert (answer.authorship, answer.edit_distance) == ("edited", 2)
    assert (answer.completion, answer.policy) == (completion, completion.policy)


SHOWN = "Paris has been the capital of France for most of its history, and lies on the Seine."


@pytest.mark.parametrize(
    ("content", "named", "authorship"),
    [
        (SHOWN.replace("lies", "stands"), "", "edited"),  # pasted into the editor of a better one
        (f"A question that I like! {SHOWN} So much for that.", "another", "edited"),
        ("It is Paris; but Lyon was it for the Romans, who called it Lugdunum.", "this", "typed"),
    ],
)
def test_whose_words_a_text_holds_is_compared_and_not_believed(
    held: Lease, content: str, named: str, authorship: str
) -> None:
    shown, other = Completion.objects.filter(comparison=held.comparison, index__lt=2)
    Completion.objects.filter(id=shown.id).update(content=SHOWN)
    dialogue = write(held, content, completion={"": None, "this": shown, "another": other}[named])
    answer = dialogue.messages.get(role="assistant")
    found = (shown, shown.policy) if authorship == "edited" else (None, None)
    assert (answer.authorship, answer.completion, answer.policy) == (authorship, *found)
    event = AuditEvent.objects.get(verb="write while ranking")
    assert event.detail["completion"] == (str(shown.id) if found[0] else None)


def test_a_returned_text_that_becomes_a_completion_is_taken(held: Lease, rita: User) -> None:
    shown = held.comparison.completions.get(index=0)
    Completion.objects.filter(id=shown.id).update(content=SHOWN)
    dialogue = write(held)
    review.return_dialogue(dialogue, comment="Say more.", by=rita)
    answer = dialogue.messages.get(role="assistant")
    editing.edit_message(answer, content=SHOWN, by=held.trainer)
    answer.refresh_from_db()
    assert (answer.authorship, answer.completion) == ("taken", shown)


def test_a_completion_word_for_word_is_no_demonstration(held: Lease) -> None:
    completion = Completion.objects.get(comparison=held.comparison, index=1)
    with pytest.raises(WritingError, match="word for word"):
        write(held, "Answer  1.\n", completion=completion)
    with pytest.raises(WritingError, match="cannot be empty"):
        write(held, "  \n")
    assert not Dialogue.objects.exists()


def test_the_same_text_sent_twice_is_one_demonstration(held: Lease, alice: User) -> None:
    key = uuid.uuid4()
    one = corrections.write_better(held, content=BETTER, key=key, by=alice)
    assert corrections.write_better(held, content=BETTER, key=key, by=alice).pk == one.pk == key
    with pytest.raises(WritingError, match="Save again"):
        corrections.write_better(held, content="Another.", key=key, by=alice)
    assert Dialogue.objects.count() == 1


def test_the_key_of_another_persons_dialogue_is_refused(project: Project, held: Lease, alice: User) -> None:
    others = make_chat(project=project)
    with pytest.raises(WritingError):
        corrections.write_better(held, content="Answer 0.x", key=others.pk, by=alice)


def test_writing_leaves_the_lease_and_the_board_as_they_are(held: Lease) -> None:
    before = Lease.objects.values().get(id=held.id)
    places = places_of(held.comparison)
    write(held)
    assert Lease.objects.values().get(id=held.id) == before
    assert places_of(held.comparison) == places
    assert held.comparison.completions.count() == 4


def test_what_is_asked_keeps_the_authorship_that_it_has_at_its_origin(project: Project, alice: User) -> None:
    chat = make_chat(project=project, num_turns=2)
    said = [{"role": message.role, "content": message.content} for message in chat.messages.all()][:3]
    changed = [*said[:2], {"role": "user", "content": "As it stood when it was chosen."}]
    make_comparison(project=project, messages=changed, dialogue=chat)
    dialogue = write(claim(project, alice))
    found = list(dialogue.messages.order_by("position").values_list("authorship", flat=True))
    assert found == ["typed", "policy", "imported", "typed"]
    assert (dialogue.branched_from, dialogue.branched_at) == (chat, 2)


def test_a_copied_answer_is_not_chosen_for_comparisons_a_second_time(project: Project, alice: User) -> None:
    chat = make_chat(project=project, num_turns=2)
    said = [{"role": message.role, "content": message.content} for message in chat.messages.all()][:3]
    make_comparison(project=project, messages=said, dialogue=chat)
    before = set(comparisons.eligible_messages(project))
    write(claim(project, alice))
    assert set(comparisons.eligible_messages(project)) == before


def test_practice_and_withdrawn_comparisons_teach_nothing(held: Lease) -> None:
    Comparison.objects.filter(id=held.comparison_id).update(use="practice")
    with pytest.raises(WritingError, match="practice"):
        write(held)
    Comparison.objects.filter(id=held.comparison_id).update(use="work", state=Comparison.State.WITHDRAWN)
    with pytest.raises(WritingError, match="withdrawn"):
        write(held)


def test_an_accepted_text_is_ranked_in_a_comparison_of_its_own(held: Lease, rita: User, alice: User) -> None:
    shown = list(held.shown_order)
    relative = joined(held, rita)
    assert (relative.state, relative.open_slots, relative.messages) == ("open", 1, held.comparison.messages)
    texts = list(relative.completions.order_by("index").values_list("content", flat=True))
    assert texts == ["Answer 0.", "Answer 1.", "Answer 2.", "Answer 3.", BETTER]
    written = relative.completions.get(content=BETTER)
    assert (written.author, written.policy, written.message and written.message.dialogue.lease) == (alice, None, held)
    copy = relative.completions.get(content="Answer 2.")
    assert copy.copied_from == held.comparison.completions.get(content="Answer 2.")
    assert copy.policy == held.comparison.project.policy
    assert held.comparison.completions.count() == 4  # what was ranked stays what was shown
    assert held.comparison.rankings.get().shown_order == shown


def test_a_text_joins_once(held: Lease, rita: User, project: Project) -> None:
    joined(held, rita)
    assert corrections.create_comparisons_from_corrections(project) == 0


@pytest.mark.parametrize("missing", ["review", "ranking", "round", "setting", "gold", "room"])
def test_a_text_does_not_join_before_its_time(held: Lease, rita: User, project: Project, missing: str) -> None:
    dialogue = write(held)
    if missing != "ranking":
        rank(held)
    if missing != "review":
        review.accept(dialogue, by=rita)
    if missing == "round":
        Round.objects.filter(project=project).update(closed_at=Now())
    if missing == "setting":
        project.joins_written = False
    if missing == "gold":
        Comparison.objects.update(use="gold")
    if missing == "room":
        Completion.objects.bulk_create(
            Completion(comparison=held.comparison, index=index, content=f"More {index}") for index in range(4, 9)
        )
    assert corrections.create_comparisons_from_corrections(project) == 0
    assert Comparison.objects.count() == 1


def test_texts_that_say_what_was_ranked_keep_no_other_from_joining(
    held: Lease, rita: User, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corrections, "BATCH_SIZE", 2)
    texts = [write(held, content) for content in ("Once.", "Twice.", BETTER)]
    rank(held)
    for text in texts:
        review.accept(text, by=rita)
    Message.objects.filter(dialogue__in=texts[:2], role="assistant").update(content="Answer 0.")
    assert corrections.create_comparisons_from_corrections(project) == 1


def test_neither_its_author_nor_its_reviewer_nor_who_ranked_the_first_is_given_it(
    held: Lease, rita: User, bob: User, project: Project
) -> None:
    Comparison.objects.filter(id=held.comparison_id).update(rankings_wanted=2, open_slots=1)
    rank(claim(project, bob))
    project.forbids_own_text = False
    relative = joined(held, rita)
    for person in (held.trainer, bob, rita):
        assert isinstance(assignment.claim(project, by=person), Nothing)
    (charlie,) = make_users(num=1, project=project)
    assert claim(project, charlie).comparison_id == relative.id


def test_nobody_is_given_two_of_a_family(held: Lease, rita: User, bob: User, project: Project, alice: User) -> None:
    other = write(held, "Paris, of course.")
    relative = joined(held, rita)
    review.accept(other, by=rita)
    assert corrections.create_comparisons_from_corrections(project) == 1
    assert Comparison.objects.filter(family=held.comparison).count() == 3
    rank(claim(project, bob))
    assert isinstance(assignment.claim(project, by=bob), Nothing)
    # A place in the first that comes free again is not for those who hold one in a relative.
    mending.withdraw(held.comparison.rankings.get(), by=alice)
    assert isinstance(assignment.claim(project, by=bob), Nothing)
    assert relative.family_id == held.comparison_id


def test_a_text_written_on_a_relative_joins_all_that_came_before(
    held: Lease, rita: User, bob: User, project: Project
) -> None:
    relative = joined(held, rita)
    lease = claim(project, bob)
    assert lease.comparison_id == relative.id
    dialogue = write(lease, "Paris, la ville lumière.")
    rank(lease)
    review.accept(dialogue, by=rita)
    assert corrections.create_comparisons_from_corrections(project) == 1
    third = Comparison.objects.filter(family=held.comparison).order_by("-created_at")[0]
    assert third.completions.count() == 6
    assert third.completions.filter(author=held.trainer).count() == 1


def test_withdrawing_the_text_takes_its_comparison_with_it(held: Lease, rita: User, alice: User) -> None:
    relative = joined(held, rita)
    dialogue = Dialogue.objects.get(lease=held)
    review.withdraw(dialogue, by=alice)
    relative.refresh_from_db()
    held.comparison.refresh_from_db()
    assert (relative.state, held.comparison.state) == ("withdrawn", "done")


def test_every_step_leaves_a_trace(held: Lease, rita: User) -> None:
    relative = joined(held, rita)
    dialogue = Dialogue.objects.get(lease=held)
    wrote = AuditEvent.objects.get(verb="write while ranking")
    assert (wrote.subject_id, wrote.detail["comparison"]) == (str(dialogue.id), str(held.comparison_id))
    join = AuditEvent.objects.get(verb="join comparison")
    assert (join.subject_id, join.detail["dialogue"]) == (str(relative.id), str(dialogue.id))
    assert Message.objects.get(dialogue=dialogue, role="assistant").content == BETTER
