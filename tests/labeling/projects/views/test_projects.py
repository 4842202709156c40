"""Projects: what is next for each role, beginning one, setting it up, its guidelines and its people."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import AuditEvent, Dialogue, Membership, Policy, Project, User
from labeling.sampling.mixtures import Part, mixture_of
from tests.labeling.factories import make_comparison, make_dialogue, make_policy, make_project, make_user
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", name="Sky")


@pytest.fixture
def alice(project: Project) -> User:
    user = make_user(username="alice", projects=[project])
    Membership.objects.filter(user=user).update(guidelines_read=1)
    return user


@pytest.fixture
def admin() -> Client:
    return as_user(make_user(username="adam", role=User.Role.ADMIN))


def page(client: Client, name: str, *arguments: str) -> str:
    return str(client.get(reverse(name, args=arguments)).content.decode())


def settings_of(project: Project, **values: Any) -> dict[str, Any]:
    plain = (
        "name", "description", "temperature", "top_p", "max_new_tokens", "num_completions", "rankings_wanted",
        "comparisons_ready", "lease_minutes", "minutes_to_change", "num_suggestions", "grace_minutes",
        "suggestion_temperature", "suggestion_top_p", "suggestion_max_new_tokens",
    )  # fmt: skip
    fields = {name: getattr(project, name) for name in plain} | {"policy": project.policy_id, "control_share": 0}
    return fields | mixture_rows() | values


def mixture_rows(*rows: tuple[Any, Any, Any]) -> dict[str, Any]:
    """Policy, share and temperature of each row, as the form sends them."""
    values: dict[str, Any] = {"mixture-TOTAL_FORMS": len(rows) or 3, "mixture-INITIAL_FORMS": 0}
    for number, row in enumerate(rows):
        for name, value in zip(("policy", "share", "temperature"), row, strict=True):
            values[f"mixture-{number}-{name}"] = value
    return values


def test_a_newcomer_reads_the_guidelines_first_then_writes(project: Project, alice: User) -> None:
    Membership.objects.filter(user=alice).update(guidelines_read=0)
    client = as_user(alice)
    assert "Read the guidelines" in page(client, "home")
    assert "Be helpful, honest and harmless." in page(client, "guidelines", "sky")
    assert Membership.objects.get(user=alice).guidelines_read == 1
    assert "write a dialogue" in page(client, "project", "sky")


def test_what_waits_decides_what_is_next(project: Project, alice: User) -> None:
    client = as_user(alice)
    make_dialogue(project=project, author=alice)
    assert "You have 1 draft." in page(client, "home")
    make_comparison(project=project)
    assert "Comparisons wait to be ranked." in page(client, "home")
    make_dialogue(project=project, author=alice, state=Dialogue.State.RETURNED)
    assert "A reviewer returned 1 dialogue to you." in page(client, "home")


def test_what_is_being_sampled_is_said_with_what_to_do_meanwhile(project: Project, alice: User) -> None:
    client = as_user(alice)
    make_comparison(project=project, state="sampling", round=project.current_round)
    for name in ("home", "project"):
        words = page(client, name, *([] if name == "home" else ["sky"]))
        assert "1 more comparison is being sampled." in words
        assert "write a dialogue" in words
    assert "No sample worker is alive" in page(client, "project", "sky")  # or when they will be here
    make_comparison(project=project)
    assert "being sampled" not in page(client, "home")


def test_a_reviewer_reviews_what_others_submitted(project: Project, alice: User) -> None:
    rita = make_user(username="rita", role=User.Role.REVIEWER, projects=[project])
    Membership.objects.update(guidelines_read=1)
    make_dialogue(project=project, author=rita, state=Dialogue.State.SUBMITTED)
    assert "waits for your review" not in page(as_user(rita), "home")
    make_dialogue(project=project, author=alice, state=Dialogue.State.SUBMITTED)
    assert "1 dialogue waits for your review." in page(as_user(rita), "home")


def test_an_admin_is_led_through_setting_up(admin: Client) -> None:
    made = admin.post(reverse("new_project"), {"name": "Bread", "description": "", "guidelines": "Be exact."})
    assert made["Location"] == "/p/bread/"
    project = Project.objects.get(slug="bread")
    assert (project.guidelines.text, project.current_round.number) == ("Be exact.", 1)  # type: ignore[union-attr]
    assert "Choose a policy" in page(admin, "project", "bread")
    policy = make_policy()
    admin.post(reverse("project_settings", args=("bread",)), settings_of(project, policy=policy.pk))
    assert project.rounds.get().policy == policy
    assert "Choose its people" in page(admin, "project", "bread")


@pytest.mark.parametrize("name", ["Sky", "sky", "!!!", ""])
def test_a_project_needs_a_name_of_its_own(admin: Client, project: Project, name: str) -> None:
    answer = admin.post(reverse("new_project"), {"name": name, "guidelines": "Be exact."})
    assert answer.status_code == 422
    assert Project.objects.count() == 1


def test_settings_are_kept_and_what_was_before_is_noted(admin: Client, project: Project) -> None:
    values = settings_of(project, num_completions=6, control_share=25, asks_ratings="on", minutes_to_change=0)
    values["asks_strengths"] = "on"
    assert admin.post(reverse("project_settings", args=("sky",)), values).status_code == 302
    project.refresh_from_db()
    assert (project.num_completions, project.control_share, project.asks_ratings) == (6, 0.25, True)
    assert project.asks_strengths
    assert project.minutes_to_change == 0
    changes = AuditEvent.objects.get(verb="change project").detail["changes"]
    assert changes["num_completions"] == ["4", "6"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("num_completions", 1), ("num_completions", 10), ("temperature", -1), ("top_p", 0), ("control_share", 101)],
)
def test_a_setting_out_of_bounds_is_refused_and_nothing_changes(
    admin: Client, project: Project, field: str, value: int
) -> None:
    values = settings_of(project, **{field: value, "name": "Changed"} if field != "name" else {})
    assert admin.post(reverse("project_settings", args=("sky",)), values).status_code == 422
    project.refresh_from_db()
    assert project.name == "Sky"


def test_a_mixture_is_named_kept_and_emptied(admin: Client, project: Project) -> None:
    other, url = make_policy(name="other"), reverse("project_settings", args=("sky",))
    rows = mixture_rows(("", 2, ""), ("", "", ""), (other.pk, 1, 0.7))
    assert admin.post(url, settings_of(project) | rows).status_code == 302
    assert mixture_of(project) == [Part(share=2), Part(policy=other, share=1, temperature=0.7)]
    shown = page(admin, "project_settings", "sky")
    assert "2 or 3 of each 4" in shown
    assert "1 or 2 of each 4" in shown
    assert admin.post(url, settings_of(project)).status_code == 302
    assert mixture_of(project) == []


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([("", 0, "")], "greater than or equal to 1"),
        ([("", 101, "")], "less than or equal to 100"),
        ([("", 1, 6)], "less than or equal to 5"),
        ([("", "", 0.5)], "Give it a share"),
        ([("", 1, 0.5), ("", 3, 0.5)], "named twice"),
        ([("retired", 1, "")], "Select a valid choice"),
        ([("", 1, n / 10) for n in range(10)], "at most 9"),
    ],
)
def test_a_mixture_that_makes_no_sense_is_refused_and_nothing_changes(
    admin: Client, project: Project, rows: list[tuple[Any, Any, Any]], complaint: str
) -> None:
    retired = make_policy(name="retired", state=Policy.State.RETIRED)
    told = [(retired.pk if policy == "retired" else policy, *rest) for policy, *rest in rows]
    values = settings_of(project, name="Changed") | mixture_rows(*told)  # type: ignore[arg-type]
    answer = admin.post(reverse("project_settings", args=("sky",)), values)
    assert answer.status_code == 422
    assert complaint in answer.content.decode()
    project.refresh_from_db()
    assert (project.name, mixture_of(project)) == ("Sky", [])


def test_an_archived_project_is_not_offered_and_comes_back(admin: Client, project: Project, alice: User) -> None:
    admin.post(reverse("archive_project", args=("sky",)), {"archived": "yes"})
    assert "not in a project yet" in page(as_user(alice), "home")
    admin.post(reverse("archive_project", args=("sky",)), {"archived": "no"})
    assert "Sky" in page(as_user(alice), "home")


def test_publishing_makes_a_version_that_people_are_asked_to_read(admin: Client, project: Project, alice: User) -> None:
    url = reverse("edit_guidelines", args=("sky",))
    admin.post(url, {"text": "Be helpful, honest and harmless.\n\nCite your sources."})
    assert project.guidelines.version == 2  # type: ignore[union-attr]
    client = as_user(alice)
    assert "The guidelines changed since you read them." in page(client, "home")
    read = page(client, "guidelines", "sky")
    assert "What changed since version 1" in read
    assert "<ins>Cite your sources.</ins>" in read
    assert "What changed" not in page(client, "guidelines", "sky")


def test_the_same_text_is_no_new_version(admin: Client, project: Project) -> None:
    admin.post(reverse("edit_guidelines", args=("sky",)), {"text": "Be helpful, honest and harmless."})
    assert project.guideline_versions.count() == 1
    assert admin.post(reverse("edit_guidelines", args=("sky",)), {"text": "  "}).status_code == 422


def test_an_earlier_version_can_be_read_and_says_so(project: Project, alice: User) -> None:
    project.guideline_versions.create(version=2, text="Newer.")
    url = reverse("guidelines", args=("sky",))
    assert "This is an earlier version." in as_user(alice).get(f"{url}?version=1").content.decode()
    assert as_user(alice).get(f"{url}?version=9").status_code == 404
    assert as_user(alice).get(f"{url}?version=x").status_code == 404


def test_people_are_chosen_and_unchosen(admin: Client, project: Project, alice: User) -> None:
    bob = make_user(username="bob")
    url = reverse("project_people", args=("sky",))
    admin.post(url, {"members": [str(bob.pk)]})
    assert list(project.members.all()) == [bob]
    admin.post(url)
    assert not project.members.exists()
    assert admin.post(url, {"members": ["nonsense"]}).status_code == 422


def test_strangers_and_other_roles_are_kept_out(project: Project, alice: User) -> None:
    charlie = make_user(username="charlie")
    for name in ("project", "guidelines"):
        assert as_user(charlie).get(reverse(name, args=("sky",))).status_code == 404
    for name in ("project_settings", "edit_guidelines", "project_people"):
        assert as_user(alice).get(reverse(name, args=("sky",))).status_code == 403


def test_more_projects_cost_no_more_queries(alice: User, django_assert_num_queries: Any) -> None:
    client = as_user(alice)
    with django_assert_num_queries(14):
        client.get(reverse("home"))
    for _ in range(5):
        project = make_project()
        project.memberships.create(user=alice)
        make_dialogue(project=project, author=alice)
    with django_assert_num_queries(14):
        client.get(reverse("home"))


def test_a_preview_is_rendered_and_made_safe(alice: User) -> None:
    client = as_user(alice)
    shown = client.post(reverse("preview"), {"text": "**a** <script>b</script>"}).content.decode()
    assert "<strong>a</strong>" in shown
    assert "<script>" not in shown
    assert client.post(reverse("preview"), {"text": "x" * 100_001}).status_code == 422
