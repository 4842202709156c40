"""The pages of policies' limits: who may, what is invalid, and that labelling is blind."""

import pytest
from django.test import Client
from django.urls import reverse

from labeling.evaluations.probe_sets import SetName
from labeling.models import Policy, ProbeLabel, ProbeRun, Project, User
from tests.labeling.evaluations.probing import answer_all, label_all, start
from tests.labeling.factories import make_policy, make_user
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db


def address(project: Project, name: str = "limits") -> str:
    return reverse(name, args=(project.slug,))


@pytest.mark.parametrize(
    ("role", "statuses"),
    [
        ("trainer", (403, 403, 200)),
        ("reviewer", (200, 403, 200)),
        ("engineer", (200, 422, 403)),
        ("admin", (200, 422, 200)),
    ],
)
def test_who_may_open_what(project: Project, role: str, statuses: tuple[int, ...]) -> None:
    browser = as_user(make_user(role=role, projects=[project]))
    found = (
        browser.get(address(project)).status_code,
        browser.post(address(project, "start_probes")).status_code,
        browser.get(address(project, "label_probes")).status_code,
    )
    assert found == statuses


def test_a_stranger_finds_nothing(project: Project) -> None:
    assert as_user(make_user(username="charlie")).get(address(project, "label_probes")).status_code == 404


def test_an_engineer_starts_a_run_and_sees_how_far_it_is(project: Project, erins_browser: Client) -> None:
    assert project.policy is not None
    body = {"policy": project.policy.pk, "sets": ["verbosity"]}
    answer = erins_browser.post(address(project, "start_probes"), body, follow=True)
    assert ProbeRun.objects.get().answers.count() == 60
    assert "0 / 60" in answer.content.decode()
    again = erins_browser.post(address(project, "start_probes"), body, follow=True)
    assert "was asked these sets already" in again.content.decode()


def test_a_policy_of_another_project_is_not_asked(project: Project, erins_browser: Client) -> None:
    from tests.labeling.factories import make_project

    hidden = make_policy(project=make_project())
    body = {"policy": hidden.pk, "sets": ["verbosity"]}
    assert erins_browser.post(address(project, "start_probes"), body).status_code == 422
    assert not ProbeRun.objects.exists()


def test_labelling_is_blind_and_goes_on_to_the_next(project: Project, rita: User, alice: User) -> None:
    policy = make_policy(name="telltale")
    answer_all(start(project, policy, by=rita), lambda answer: f"Which {answer.text.key}?")
    browser = as_user(alice)
    page = browser.get(address(project, "label_probes")).content.decode()
    held = ProbeLabel.objects.get()
    assert held.answer.text.text in page.replace("&#x27;", "'").replace("&quot;", '"')
    assert "telltale" not in page
    assert "6 answers wait for you" in page
    assert browser.post(address(project, "label_probes"), {"label": held.id, "value": "poetry"}).status_code == 422
    answer = browser.post(address(project, "label_probes"), {"label": held.id, "value": "asks"}, follow=True)
    assert "5 answers wait for you" in answer.content.decode()
    held.refresh_from_db()
    assert (held.value, held.by) == ("asks", alice)


def test_nobody_labels_by_anothers_place(project: Project, rita: User, alice: User, bob: User) -> None:
    assert project.policy is not None
    answer_all(start(project, project.policy, by=rita), lambda answer: answer.text.key)
    as_user(alice).get(address(project, "label_probes"))
    held = ProbeLabel.objects.get()
    assert as_user(bob).post(address(project, "label_probes"), {"label": held.id, "value": "asks"}).status_code == 404


def test_two_policies_stand_beside_each_other(project: Project, rita: User, alice: User, bob: User) -> None:
    old, new = project.policy, make_policy(name="newer")
    assert isinstance(old, Policy)
    names: tuple[SetName, ...] = ("guessing", "over_refusal", "compliance")
    for policy in (old, new):
        for name in names:
            run = start(project, policy, by=rita, name=name, num_groups=8)
            answer_all(run, lambda answer: f"{answer.run_id}")
    values = {"guessing": ("guesses", "asks"), "over_refusal": ("refuses", "complies"), "compliance": ("refuses",) * 2}
    label_all(
        project,
        [alice, bob],
        lambda answer: values[answer.run.set_version.name][answer.run.policy_id == new.pk],
    )
    page = as_user(rita).get(address(project), {"old": old.pk, "new": new.pk}).content.decode()
    assert page.count("<b>changed</b>") == 3  # asks where it must, asks where it need not, refuses
    assert "Refusals and harm" in page
    assert "32 labels" in page
