"""Two changes of one dialogue at once: the second waits, and neither holds what the other wants."""

import pytest

from labeling.dialogues import answers, editing
from labeling.dialogues.rules import WritingError, lock
from labeling.models import Dialogue, Message, Project, User
from labeling.sampling import runs
from tests.labeling.factories import QUESTION, make_dialogue
from tests.labeling.overlapping import overlap
from tests.labeling.sampling.sampling_runs import State, result_for, sent_run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker")]


def test_two_tabs_that_say_something_at_once_do_not_both_speak(project: Project, alice: User) -> None:
    dialogue = editing.start_chat(project, by=alice)

    def say() -> Message:
        tab = Dialogue.objects.select_related("project").get(id=dialogue.id)
        return editing.add_message(tab, role="user", content="Hello?", by=alice)

    with pytest.raises(WritingError, match="take turns"):
        overlap(say, say)
    assert dialogue.messages.count() == 1


def test_an_answer_and_a_change_of_its_dialogue_do_not_wait_for_each_other(project: Project, alice: User) -> None:
    """Both lock the dialogue before the run. In opposite orders each would hold what the other wants."""
    dialogue = make_dialogue(project=project, author=alice, kind="chat", turns=[("user", QUESTION, "typed")])
    run = sent_run(project, purpose="chat", dialogue=dialogue, position=1, requested_by=alice)
    overlap(
        lambda: lock(dialogue),
        lambda: answers.record_completions(result_for(run, "Paris.")),
        then=lambda: runs.cancel(run, by=alice),
    )
    run.refresh_from_db()
    assert run.state == State.CANCELLED
