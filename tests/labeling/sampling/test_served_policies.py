"""Policies on servers of their own: how they are registered and asked; and completions that resemble each other."""

import json
import re
import uuid
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.urls import reverse

from labeling.dialogues import answers
from labeling.jobs import dispatch
from labeling.models import AuditEvent, Comparison, Lease, Policy, Ranking, SamplingRun, User
from labeling.rankings import assignment
from labeling.sampling.policies import PolicyError, register_server
from records import Completion, ModelServer, Resemblance, SampleResult
from tests.labeling.factories import make_comparison, make_policy, make_project, make_run, make_user
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db

URL = "https://gpu1.example.org:8000/v1"


def register(name: str = "large", **changes: Any) -> Policy:
    return register_server(name, **{"kind": "vllm", "url": URL, "model": "org/large", **changes})


def test_a_server_s_policy_is_registered_once_and_noted() -> None:
    policy = register()
    assert register() == policy
    assert (policy.backend, policy.state, policy.store_path) == ("openai", Policy.State.CANDIDATE, "")
    assert AuditEvent.objects.filter(verb="register policy").count() == 1


def test_a_run_s_request_says_which_server() -> None:
    project = make_project(policy=register())
    request = dispatch.request_of(make_run(project=project, attempt=1))
    assert request.server == ModelServer(kind="vllm", url=URL, model="org/large")
    assert (request.policy, request.policy_path, request.policy_sha256) == ("large", "", None)
    assert dispatch.request_of(make_run(project=make_project(policy=make_policy()), attempt=1)).server is None


def test_its_page_says_where_it_runs() -> None:
    policy = register()
    project = make_project(slug="bread", policy=policy)
    erin = make_user(username="erin", role=User.Role.ENGINEER, projects=[project])
    page = as_user(erin).get(reverse("model", args=(policy.id,)))
    assert f"vLLM · <code>{URL}</code> · <code>org/large</code>" in page.content.decode()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"kind": "best"}, "no kind of server 'best'"),
        ({"url": "gpu1:8000"}, "give it as https://host:8000/v1"),
        ({"url": "file:///etc/passwd"}, "give it as https://host:8000/v1"),
        ({"url": "https://key@gpu1/v1"}, "keys belong to the sample workers"),
        ({"model": ""}, "Name the model as its server does"),
        ({"name": "Large One"}, "is no name for a policy"),
    ],
)
def test_what_is_no_server_is_refused_in_words(changes: dict[str, str], complaint: str) -> None:
    with pytest.raises(PolicyError, match=complaint):
        register(**changes)
    assert not Policy.objects.exists()


def test_a_name_means_one_model_on_one_server() -> None:
    register()
    make_policy(name="files")
    with pytest.raises(PolicyError, match="Another policy is called large"):
        register(model="org/other")
    with pytest.raises(PolicyError, match="Another policy is called files"):
        register("files")


def test_a_policy_on_a_server_without_address_is_no_row() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        make_policy(backend="openai", server_kind="vllm", server_model="m")


def test_the_command_registers_and_complains() -> None:
    said = StringIO()
    arguments = ["--kind", "llama.cpp", "--url", "http://127.0.0.1:8080/v1", "--model", "small"]
    call_command("register_server", "small", *arguments, stdout=said)
    assert "small is registered. List its host in PARLEY_BACKEND_HOSTS" in said.getvalue()
    with pytest.raises(CommandError, match="is no address of a server"):
        call_command("register_server", "odd", "--kind", "vllm", "--url", "x", "--model", "m")


def test_completions_that_resemble_an_earlier_one_say_so_to_nobody_who_ranks() -> None:
    project = make_project(slug="bread")
    alice = make_user(username="alice", projects=[project])
    comparison = make_comparison(project=project, num_completions=0, state=Comparison.State.SAMPLING, open_slots=0)
    run = make_run(project=project, comparison=comparison, purpose="comparison", num_completions=3,
                   state=SamplingRun.State.RUNNING, attempt=1)  # fmt: skip
    contents = ("Bread rises.", "It is yeast.", "Bread does rise.")
    completions = tuple(Completion(id=f"c{i}", content=content) for i, content in enumerate(contents))
    alike = (Resemblance(index=2, earlier=0, similarity=0.9721),)
    result = SampleResult(run_id=str(run.id), attempt=1, completions=completions, resemblances=alike)
    assert answers.record_completions(result)
    kept = list(run.completions.order_by("index").values_list("resembles", "similarity"))
    assert kept == [(None, None), (None, None), (0, 0.9721)]
    lease = assignment.claim(project, by=alice)
    assert isinstance(lease, Lease)
    client, address = as_user(alice), f"/p/bread/rank/{lease.id}/"
    while_ranking = client.get(address)
    shelves = {identifier: 1 + number for number, identifier in enumerate(lease.shown_order)}
    sent = {"key": str(uuid.uuid4()), "shelves": shelves, "line": None}
    assert client.post(address, json.dumps(sent), content_type="application/json").status_code == 200
    assert Ranking.objects.count() == 1
    assert "Bread does rise." in while_ranking.content.decode()
    for page in (while_ranking, client.get(address, follow=True), client.get("/history/")):
        assert not re.search(r"0[.,]97|resembl|similar", page.content.decode())
