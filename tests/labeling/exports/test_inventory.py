"""The figures of the data page are those of an export."""

from typing import Any

import pytest

from labeling.exports.inventory import inventory
from labeling.models import Comparison, Dialogue, Project
from tests.labeling.exports.material import exported, make_ranking
from tests.labeling.factories import make_chat, make_comparison, make_dialogue, make_project, make_prompt, make_user

pytestmark = pytest.mark.django_db


def figures(project: Project) -> dict[str, Any]:
    return {figure.label: (figure.num, figure.note) for figure in inventory(project)}


def test_what_does_not_count_is_in_no_figure(project: Project) -> None:
    taken_back = {"retracted_at": "2026-01-01T00:00Z"}
    for place in (project, make_project()):
        alice, robot = make_user(projects=[place]), make_user(projects=[place], is_simulated=True)
        for trainer in (alice, alice, alice, robot, robot, None):
            make_ranking(project=place, trainer=trainer)
        make_ranking(project=place, trainer=alice, **taken_back)
        for fields in ({"state": Comparison.State.WITHDRAWN, "open_slots": 0}, {"use": "gold", "open_slots": 0}):
            make_ranking(project=place, comparison=make_comparison(project=place, **fields), trainer=alice)
        make_comparison(project=place)
        make_comparison(project=place, state=Comparison.State.SAMPLING, open_slots=0)
        for state in Dialogue.State:
            make_dialogue(project=place, state=state)
        make_chat(project=place, state=Dialogue.State.ACCEPTED)
        make_prompt(project=place)
        make_prompt(project=place, retired_at="2026-01-01T00:00Z")
    found = figures(project)
    assert found["Rankings"] == (6, "3 by people, 2 simulated, 1 imported")
    assert found["Demonstrations"] == (1, "1 more waits for review")
    assert found["Prompts"][0] == 1
    assert found["Comparisons to rank"] == (1, "1 is being sampled")
    for label, kind in (("Rankings", "rankings"), ("Demonstrations", "demonstrations"), ("Prompts", "prompts")):
        assert exported(project, kind).num_records == found[label][0]
