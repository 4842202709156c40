"""The content filter over the API: screenings without texts, rules with their versions, filters, moderations."""

import threading
import time
from typing import Any

import pytest
import redis

from labeling.dialogues import answers
from labeling.models import ApiToken, Filter, FilterRules, Project, User
from labeling.safety import moderations
from labeling.tasks import record_screenings
from records import ScreenResult, encode
from tests.labeling.api.api_client import Program
from tests.labeling.factories import make_user
from tests.labeling.safety.test_notices import asked
from tests.labeling.sampling.sampling_runs import messages_in
from tests.labeling.sampling.screened import WITHHELD, saw, screened_result

pytestmark = pytest.mark.django_db


@pytest.fixture
def adam(project: Project) -> User:
    return make_user(username="adam", projects=[project])


def test_screenings_are_listed_without_texts(project: Project, alice: User, rita: User) -> None:
    run = asked(project, alice, num=3)
    answers.record_completions(screened_result(run, ("One.", "warn"), ("Two", "block"), ("Three.", "pass")))
    program = Program(rita)
    address = f"projects/{project.slug}/screenings"
    listed = program.get(address).json()["results"]
    assert [one["verdict"] for one in listed].count("pass") == 2
    assert {one["filter"] for one in listed} == {"bundled"}
    blocked = program.get(f"{address}?verdict=block&acted=true").json()["results"]
    assert [one["completion_id"] for one in blocked] == [str(run.completions.get(index=1).pk)]
    assert WITHHELD not in str(listed)
    assert program.get(f"{address}?verdict=maybe").status_code == 422


def test_rules_are_read_and_changed(project: Project, adam: User) -> None:
    program = Program(adam)
    address = f"projects/{project.slug}/rules"
    read = program.get(address).json()
    assert (read["version"], read["filter"], len(read["rules"])) == (0, "bundled", 16)
    change = {"category": "H", "side": "said", "mode": "on", "warn_at": 0.5}
    made = program.post(address, {"version": 0, "rules": [change], "note": "Quieter"}).json()
    assert (made["version"], FilterRules.objects.get().note) == (1, "Quieter")
    stale = program.post(address, {"version": 0, "rules": [change]})
    assert (stale.status_code, stale.json()["where"]) == (409, "body.version")
    blocks = program.post(address, {"version": 1, "rules": [{**change, "block_at": 0.9}]})
    assert (blocks.status_code, blocks.json()["where"]) == (422, "body.rules")
    assert FilterRules.objects.count() == 1


def test_a_filter_is_promoted_by_a_token_for_all_projects(project: Project, erin: User) -> None:
    made = Filter.objects.create(name="next")
    assert Program(erin).get("filters").json()["results"][0]["name"] in ("next", "bundled")
    program = Program(erin, scopes=[ApiToken.Scope.PROMOTE])
    address = f"filters/{made.pk}/promote"
    assert program.post(address, {"to": "in_force"}).status_code == 409
    assert program.post(address, {"to": "shadow"}).json()["state"] == "shadow"
    ApiToken.objects.filter(pk=program.token.pk).update(project=project)
    assert program.post(address, {"to": "retired"}).status_code in (403, 404)
    made.refresh_from_db()
    assert made.state == "shadow"


def test_texts_of_a_program_are_judged_by_the_worker(
    project: Project, erin: User, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program(erin)
    assert program.post("moderations", {"input": "Hello."}).status_code == 503  # no worker is alive
    monkeypatch.setattr(moderations, "sample_worker_is_alive", lambda: True)
    worker = threading.Thread(target=_judge_one, args=(broker,))
    worker.start()
    answer = program.post("moderations", {"input": ["Hello.", "Something else"], "model": "omni-moderation-latest"})
    worker.join()
    assert answer.status_code == 200, answer.content
    first, second = answer.json()["results"]
    assert (first["flagged"], second["flagged"]) == (False, True)
    assert second["categories"] == {"sexual": True}
    assert (first["category_scores"], answer.json()["model"]) == ({"sexual": 0.1}, "bundled")
    assert not broker.keys("moderation:*")


def _judge_one(broker: redis.Redis) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not (found := messages_in(broker, "urgent")):
        time.sleep(0.02)
    request = found[0]["request"]
    assert request["texts"] == ["Hello.", "Something else"]
    seen = (
        saw("answered", "pass", "Hello.", probabilities={"S": 0.1}),
        saw("answered", "block", "Something else", probabilities={"S": 0.9}),
    )
    record_screenings(encode(ScreenResult(ids=tuple(request["ids"]), screenings=seen)))


@pytest.mark.parametrize(
    "given", [["x"] * 33, "x" * 20_001, [], ["x" * 20_001]], ids=["33", "long", "none", "one long"]
)
def test_a_program_sends_so_many_texts_and_no_longer_ones(project: Project, erin: User, given: Any) -> None:
    assert Program(erin).post("moderations", {"input": given}).status_code == 422
