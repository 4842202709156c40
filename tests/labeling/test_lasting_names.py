"""Names that outlive the code that uses them: in databases, on brokers, in people's scripts, and in a keyed hash.

Modules may move and be renamed; a row, a message or a schedule of yesterday must still be understood.
"""

from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.core.management import get_commands

from labeling.models import Membership, Project
from labeling.rankings.gold_schedule import is_gold_due

TABLES = """
apianswer apitoken auditevent comparison completion delivery dialogue export guidelineversion import lease membership
message mixturepart passedprompt policy practiceranking project prompt promptvector ranking rating reference report
rewardmodel round samplingrun signinfailures trainingjob user webhook
"""
TASKS = """
build_export deliver record_completions record_sampling_failure record_sampling_started record_training_progress
record_training_result record_vectors sweep take_in
"""
COMMANDS = "demo export import_dialogues import_rankings register_server run set_up sweep"


def test_every_table_keeps_its_name() -> None:
    tables = {model._meta.db_table for model in apps.get_app_config("labeling").get_models()}
    assert tables >= {f"labeling_{name}" for name in TABLES.split()}


def test_every_task_keeps_its_name() -> None:
    from labeling.celery import app

    app.loader.import_default_modules()
    assert set(app.tasks) >= {f"labeling.{name}" for name in TASKS.split()}


def test_every_command_keeps_its_name() -> None:
    ours = {name for name, owner in get_commands().items() if owner == "labeling"}
    assert ours >= set(COMMANDS.split())


@pytest.mark.parametrize(("user", "due"), [(1, [1, 5, 8, 10]), (2, [0, 4, 8, 10])])
def test_a_gold_schedule_that_has_begun_goes_on(user: int, due: list[int], settings: Any) -> None:
    """The salt of its hash is part of every trainer's schedule: another would show some items twice as often."""
    settings.SECRET_KEY = "a key of the test's own"
    project = Project(id=UUID(int=7), gold_every=3)
    found = [
        claims
        for claims in range(12)
        if is_gold_due(project, Membership(project=project, user_id=UUID(int=user), num_claims=claims))
    ]
    assert found == due
