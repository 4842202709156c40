"""A policy's answers on their way back into dialogues: to the end that they answer, or nowhere. Answers that are
sampled anew for a place in the middle are in test_regeneration.py.
"""

import pytest

from labeling.dialogues import answers
from labeling.models import Dialogue, Message, Project, User
from labeling.sampling import runs as sampling_runs
from records import SampleResult
from tests.labeling.factories import make_dialogue, make_project
from tests.labeling.sampling.sampling_runs import State, completions, result_for, sent_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(max_new_tokens=16)


def chat_with(project: Project, author: User, question: str) -> Dialogue:
    turns = [("user", question, Message.Authorship.TYPED)]
    return make_dialogue(project=project, author=author, kind=Dialogue.Kind.CHAT, turns=turns)


def test_a_chat_reply_stands_in_its_dialogue_though_nobody_watches(project: Project, alice: User) -> None:
    dialogue = chat_with(project, alice, "Hello?")
    run = sent_run(project, purpose="chat", dialogue=dialogue, position=1, requested_by=alice)
    answers.record_completions(result_for(run, "Hello, Alice."))
    message = dialogue.messages.get(position=1)
    assert (message.role, message.content, message.authorship) == ("assistant", "Hello, Alice.", "policy")
    assert message.policy == project.policy


def test_a_chat_reply_to_what_was_changed_since_stays_out_of_the_dialogue(project: Project, alice: User) -> None:
    dialogue = chat_with(project, alice, "Hello?")
    run = sent_run(project, purpose="chat", dialogue=dialogue, position=1, requested_by=alice)
    dialogue.messages.all().delete()
    answers.record_completions(result_for(run, "Hello, Alice."))
    run.refresh_from_db()
    assert run.state == State.DONE
    assert run.completions.count() == 1
    assert not dialogue.messages.exists()


def test_what_a_person_stopped_keeps_the_text_that_it_had(project: Project, alice: User) -> None:
    dialogue = chat_with(project, alice, "Tell me everything.")
    run = sent_run(project, purpose="chat", dialogue=dialogue, position=1, requested_by=alice)
    sampling_runs.cancel(run, by=alice)
    partial = SampleResult(
        run_id=str(run.id), attempt=1, completions=completions("In the beg", finish_reason="cancelled")
    )
    assert answers.record_completions(partial)
    assert not answers.record_completions(partial)
    run.refresh_from_db()
    assert run.state == State.CANCELLED
    assert dialogue.messages.get(position=1).content == "In the beg"


def test_what_was_stopped_to_ask_again_gives_way_to_the_new_answer(project: Project, alice: User) -> None:
    dialogue = chat_with(project, alice, "Tell me everything.")
    fields = {"purpose": "chat", "dialogue": dialogue, "position": 1, "requested_by": alice}
    stopped = sent_run(project, **fields)
    sampling_runs.cancel(stopped, by=alice)
    again = sent_run(project, **fields)
    assert answers.record_completions(result_for(stopped, "In the beg"))
    assert answers.record_completions(result_for(again, "Briefly: it began."))
    assert dialogue.messages.get(position=1).content == "Briefly: it began."
