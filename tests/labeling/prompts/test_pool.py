"""Which prompt of the pool a trainer is offered, and what "not my topic" teaches."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labeling.dialogues.editing import start_demonstration
from labeling.dialogues.review import withdraw
from labeling.models import AuditEvent, Project, User
from labeling.prompts.pool import next_prompt, pass_prompt
from tests.labeling.factories import make_project, make_prompt, make_user

pytestmark = pytest.mark.django_db


def test_a_prompt_is_offered_until_somebody_writes_on_it(project: Project, alice: User) -> None:
    prompt = make_prompt(project=project)
    make_prompt(project=make_project())
    assert next_prompt(project, by=alice) == prompt
    dialogue = start_demonstration(project, by=make_user(username="bob", projects=[project]), prompt=prompt)
    assert next_prompt(project, by=alice) is None
    withdraw(dialogue, by=make_user(username="adam"))
    assert next_prompt(project, by=alice) == prompt


def test_the_same_prompt_is_offered_again_and_everybody_has_an_order_of_their_own(project: Project) -> None:
    for _ in range(8):
        make_prompt(project=project)
    people = [make_user(projects=[project]) for _ in range(12)]
    offered = [next_prompt(project, by=person) for person in people]
    assert offered == [next_prompt(project, by=person) for person in people]
    assert len(set(offered)) >= 3


def test_a_passed_prompt_does_not_come_back_to_the_same_person(project: Project, alice: User) -> None:
    prompt = make_prompt(project=project)
    pass_prompt(prompt, by=alice)
    pass_prompt(prompt, by=alice)
    assert next_prompt(project, by=alice) is None
    assert next_prompt(project, by=make_user(username="bob", projects=[project])) == prompt
    assert AuditEvent.objects.filter(verb="pass prompt", by=alice, subject_id=str(prompt.id)).count() == 1


def test_a_topic_that_is_passed_more_often_than_taken_comes_last(project: Project, alice: User) -> None:
    chess = [make_prompt(project=project, topic="chess") for _ in range(12)]
    cooking = make_prompt(project=project, topic="cooking")
    pass_prompt(chess[0], by=alice)
    assert next_prompt(project, by=alice) == cooking
    start_demonstration(project, by=alice, prompt=chess[1])  # after all
    start_demonstration(project, by=alice, prompt=cooking)
    left = next_prompt(project, by=alice)
    assert left is not None
    assert left.topic == "chess"


def test_only_topics_that_were_chosen_are_offered(project: Project, alice: User) -> None:
    for _ in range(6):
        make_prompt(project=project, topic="chess")
    cooking = make_prompt(project=project, topic="cooking")
    alice.topics = ["cooking"]
    assert next_prompt(project, by=alice) == cooking
    alice.topics = ["music"]
    assert next_prompt(project, by=alice) is None
    of_no_topic = make_prompt(project=project)
    assert next_prompt(project, by=alice) == of_no_topic


def test_statements_do_not_grow_with_the_pool(project: Project, alice: User) -> None:
    counts = []
    for num in (2, 30):
        for _ in range(num):
            pass_prompt(make_prompt(project=project, topic="chess"), by=alice)
            make_prompt(project=project, topic="cooking")
        with CaptureQueriesContext(connection) as statements:
            next_prompt(project, by=alice)
        counts.append(len(statements))
    assert counts == [3, 3]


@pytest.mark.parametrize("where", ["here, and took as many", "elsewhere"])
def test_a_topic_that_was_not_passed_more_often_here_does_not_come_last(project: Project, where: str) -> None:
    """There are many prompts about chess and one about cooking, so chess comes first for most people."""
    chess = [make_prompt(project=project, topic="chess") for _ in range(20)]
    make_prompt(project=project, topic="cooking")
    elsewhere = make_prompt(project=make_project(), topic="chess")
    offered = []
    for number in range(8):
        trainer = make_user(projects=[project])
        pass_prompt(elsewhere if where == "elsewhere" else chess[0], by=trainer)
        if where != "elsewhere":
            start_demonstration(project, by=trainer, prompt=chess[1 + number])
        offered.append(next_prompt(project, by=trainer))
    assert "chess" in {prompt.topic for prompt in offered if prompt is not None}
