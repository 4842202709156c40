"""Two batches of prompts at once: neither is embedded twice, and a pair between them is found."""

import pytest
from django.utils import timezone

from labeling.models import Project
from labeling.prompts import near_duplicates
from tests.labeling.factories import make_prompt
from tests.labeling.overlapping import overlap
from tests.labeling.prompts.test_near_duplicates import recorded, vector

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker")]


def test_two_who_ask_at_once_ask_for_different_prompts(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "BATCH_SIZE", 2)
    for _ in range(3):
        make_prompt(project=project)

    def ask() -> int:
        return near_duplicates.ask_for_vectors(project)

    assert overlap(ask, ask) == 1


def test_a_pair_in_two_batches_that_come_at_once_is_found(project: Project) -> None:
    asked = {"vector_asked_at": timezone.now()}  # or the first batch would ask for the other prompt, and lock it
    one, other = (make_prompt(project=project, **asked) for _ in range(2))
    overlap(lambda: recorded(one, vectors=[vector(x0=1.0)]), lambda: recorded(other, vectors=[vector(x0=1.0)]))
    assert [(pair.prompt, pair.resembles) for pair in near_duplicates.pairs(project)] == [(other, one)]
