"""The pages of contests: who may open which, that jurors judge blind, and one contest from its set-up to objections."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Concat
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from labeling.challenges import jury
from labeling.models import Challenge, DrawnJuror, Entry, Objection, Project, User
from tests.labeling.api.api_client import Program
from tests.labeling.challenges.material import (
    close,
    judged_challenge,
    make_challenge,
    make_entry,
    make_report,
    name_jurors,
)
from tests.labeling.factories import make_user
from tests.labeling.signed_in import as_user, page_of

pytestmark = pytest.mark.django_db

WHO = ("stranger", "visitor", "trainer", "entrant", "juror", "excused", "reviewer", "engineer", "admin")
ALL, SIGNED_IN = set(WHO), set(WHO) - {"stranger"}
# Who gets a page; all others a refusal: 302 to the door, 403 by role, 404 where the row is not theirs.
OPENS = {
    "challenges": ALL,
    "challenge": ALL,
    "enter_challenge": SIGNED_IN,
    "entry": {"entrant"},
    "jury": {"juror"},
    "mark_entry": {"juror"},
    "project_challenges": {"trainer", "reviewer", "engineer", "admin"},
    "run_challenge": {"admin"},
    "entries_of": {"admin"},
    "entry_of": {"admin"},
    "challenge_results": {"admin"},
}
# Who is let do it by a form; the others are refused and nothing changes.
DOES = {
    "object_to_results": SIGNED_IN,
    "withdraw_entry": {"entrant"},
    "declare_conflict": {"juror"},
    "name_juror": {"admin"},
    "excuse_juror": {"admin"},
    "draw_jurors": {"admin"},
    "disqualify_entry": {"admin"},
    "name_duplicate": {"admin"},
    "release_entry": {"admin"},
    "answer_objection": {"admin"},
}


@pytest.fixture
def people(project: Project, adam: User) -> dict[str, Client]:
    roles = {"visitor": "visitor", "trainer": "trainer", "reviewer": "reviewer", "engineer": "engineer"}
    users = {name: make_user(username=name, role=role, projects=[project]) for name, role in roles.items()}
    project.memberships.filter(user=users["visitor"]).delete()
    users |= {name: make_user(username=name) for name in ("entrant", "juror", "excused")} | {"admin": adam}
    return {"stranger": Client()} | {name: as_user(user) for name, user in users.items()}


@pytest.fixture
def arguments(people: dict[str, Client], challenge: Challenge, adam: User) -> dict[str, Any]:
    """Of a challenge that is being judged, with an entry that the juror is drawn for."""
    entrant, juror, excused = (User.objects.get(username=name) for name in ("entrant", "juror", "excused"))
    entry = make_entry(challenge=challenge, author=entrant)
    for user in (juror, excused):
        jury.name_juror(challenge, user, by=adam)
    close(challenge)
    jury.draw_jurors(challenge, by=adam)
    jury.excuse(challenge.jurors.get(user=excused), by=adam)
    objection = Objection.objects.create(challenge=challenge, author=entrant, text="Unfair.")
    return {
        "challenge_slug": challenge.slug,
        "slug": challenge.project.slug,
        "challenge_id": challenge.pk,
        "entry_id": entry.pk,
        "juror_id": challenge.jurors.get(user=juror).pk,
        "objection_id": objection.pk,
    }


def address(name: str, arguments: dict[str, Any]) -> str:
    from labeling.urls import urlpatterns

    pattern = next(one for one in urlpatterns if getattr(one, "name", None) == name)
    return reverse(name, kwargs={key: arguments[key] for key in pattern.pattern.converters})


def test_every_address_of_contests_is_in_the_tables() -> None:
    from labeling.urls import urlpatterns

    places = {one.name: str(one.pattern) for one in urlpatterns if "challenges/" in str(one.pattern)}
    assert {name for name, place in places.items() if not place.startswith("api/")} == OPENS.keys() | DOES.keys()


@pytest.mark.parametrize(("name", "who"), OPENS.items(), ids=lambda one: one if isinstance(one, str) else "")
def test_a_page_opens_to_those_it_is_for(
    people: dict[str, Client], arguments: dict[str, Any], name: str, who: set[str]
) -> None:
    answers = {person: client.get(address(name, arguments)).status_code for person, client in people.items()}
    assert {person for person, status in answers.items() if status == 200} == who
    assert set(answers.values()) <= {200, 302, 403, 404}


@pytest.mark.parametrize(("name", "who"), DOES.items(), ids=lambda one: one if isinstance(one, str) else "")
def test_an_action_is_done_for_those_it_is_for(
    people: dict[str, Client], arguments: dict[str, Any], name: str, who: set[str]
) -> None:
    url = address(name, arguments)
    others = people.keys() - who
    assert others
    assert who
    for person in others:
        answer = people[person].post(url, {"why": "W", "released": "on", "reply": "R", "username": "trainer"})
        refused = answer.status_code in (403, 404) or "/sign-in/" in answer.headers.get("Location", "")
        assert refused, (person, answer.status_code)
    for person in who:
        assert people[person].post(url, {}).status_code in (302, 422), person
        assert people[person].get(url).status_code == 405


PLANTED = {"name": "Zaphod Unmistakable", "username": "zaphodius", "email": "zaphod@example.org"}
OTHERS_WORDS = "What only the other juror wrote"


def test_a_juror_learns_neither_whose_an_entry_is_nor_what_others_gave(
    project: Project, challenge: Challenge, adam: User
) -> None:
    author = make_user(username=PLANTED["username"], display_name=PLANTED["name"], email=PLANTED["email"])
    entry = make_entry(challenge=challenge, author=author, shows_name=True)
    entry.reports.update(reporter=author, content="An output.")
    name_jurors(challenge, 3, projects=[project])
    close(challenge)
    jury.draw_jurors(challenge, by=adam)
    other, mine, _third = DrawnJuror.objects.filter(entry=entry).select_related("juror__user", "entry")
    jury.mark(other, {key: jury.Given(value=3, why=OTHERS_WORDS) for key in challenge.weights}, by=other.juror.user)
    hidden = [
        *PLANTED.values(),
        *(author.pseudonym, str(author.pk), OTHERS_WORDS, str(other.juror.user), other.juror.user.username),
    ]
    browser, program = as_user(mine.juror.user), Program(mine.juror.user)
    places = [
        reverse("challenges"),
        reverse("challenge", args=(challenge.slug,)),
        reverse("jury", args=(challenge.slug,)),
        reverse("mark_entry", args=(challenge.slug, entry.pk)),
        reverse("project_challenges", args=(project.slug,)),
    ]
    seen = [page_of(browser, place) for place in places]
    for path in (f"projects/{project.slug}/challenges", f"projects/{project.slug}/challenges/{challenge.pk}/entries"):
        answer = program.get(path)
        assert answer.status_code == 200
        seen.append(answer.content.decode())
    assert any(entry.text in page for page in seen), "the juror reads the entry itself"
    assert [word for word in hidden for page in seen if word in page] == []
    jury.mark(mine, {key: jury.Given(value=1, why="My own.") for key in challenge.weights}, by=mine.juror.user)
    own = page_of(browser, places[3])
    assert "My own." in own
    assert OTHERS_WORDS not in own


def test_an_entrant_reads_the_jurors_words_after_the_results_and_not_before(
    project: Project, adam: User, alice: User
) -> None:
    challenge = judged_challenge(project=project, authors=[alice, make_user()], admin=adam)
    own = challenge.entries.get(author=alice)
    place = reverse("entry", args=(challenge.slug, own.pk))
    assert "Because risk." not in page_of(as_user(alice), place)
    publish = {"words": "A strong field.", f"reason:{own.pk}": "It is new."}
    answer = as_user(adam).post(reverse("challenge_results", args=(project.slug, challenge.pk)), publish)
    assert answer.status_code == 302
    after = page_of(as_user(alice), place)
    assert "Because risk." in after
    assert not [name for name in ("juror0", "Juror0") if name in after]
    public = page_of(Client(), reverse("challenge", args=(challenge.slug,)))
    assert "It is new." in public
    assert "A strong field." in public
    assert "Because risk." not in public
    assert not [word for word in (own.title, own.text, str(alice)) if word in public]


def test_a_contest_from_its_set_up_to_an_answered_objection(
    project: Project, adam: User, alice: User, bob: User
) -> None:
    """By the forms of the pages alone."""
    admin, place = as_user(adam), reverse("project_challenges", args=(project.slug,))
    now = timezone.now()
    form = {
        "title": "Winter", "slug": "winter", "opens_at": f"{now:%Y-%m-%dT%H:%M}", "num_prizes": 1, "most_entries": 2,
        "closes_at": f"{now.year + 1}-01-01T00:00", "weight_risk": 1, "weight_novelty": 1, "weight_form": 1,
        "rules": "Be fair.",
    }  # fmt: skip
    assert admin.post(place, form | {"closes_at": form["opens_at"]}).status_code == 422
    assert admin.post(place, form).status_code == 302
    assert admin.post(place, form).status_code == 422, "the address is taken"
    challenge = Challenge.objects.get()
    run = {"slug": project.slug, "challenge_id": challenge.pk}
    entry_form = {"title": "T", "text": "It lies.", "rules_version": 1, "do": "send"}
    for author in (alice, bob):
        report = make_report(reporter=author, project=project)
        browser, enter = as_user(author), reverse("enter_challenge", args=("winter",))
        assert browser.post(enter, entry_form | {"reports": report.pk, "is_adult": "on"}).status_code == 422
        whole = entry_form | {"reports": report.pk, "is_adult": "on", "accepts_rules": "on"}
        assert browser.post(enter, whole).status_code == 302
        assert "It lies." in page_of(browser, reverse("entry", args=("winter", author.entries.get().pk)))
    for number in range(3):
        make_user(username=f"juror{number}")
        answer = admin.post(reverse("name_juror", kwargs=run), {"username": f"juror{number}"})
        assert answer.status_code == 302
    assert admin.post(reverse("name_juror", kwargs=run), {"username": "alice"}).status_code == 422
    close(challenge)
    assert admin.post(reverse("draw_jurors", kwargs=run)).status_code == 302
    all_drawn = list(DrawnJuror.objects.select_related("juror__user", "entry__author"))
    assert len(all_drawn) == 6
    for drawn in all_drawn:
        mark = reverse("mark_entry", args=("winter", drawn.entry_id))
        juror, value = as_user(drawn.juror.user), 4 if drawn.entry.author == bob else 1
        marks = {f"mark:{key}": value for key in challenge.weights}
        assert juror.post(mark, marks).status_code == 422, "each wants a reason"
        whys = {f"why:{key}": "Seen often." for key in challenge.weights}
        assert juror.post(mark, marks | whys | {"mark:risk": 5}).status_code == 422
        assert juror.post(mark, marks | whys).status_code == 302
    winner = Entry.objects.get(author=bob)
    results = reverse("challenge_results", kwargs=run)
    assert admin.post(results, {"words": "W"}).status_code == 422
    assert admin.post(results, {"words": "W", f"reason:{winner.pk}": "New."}).status_code == 302
    objecting = reverse("object_to_results", args=("winter",))
    assert as_user(alice).post(objecting, {"objection": "Mine was better."}).status_code == 302
    objection = Objection.objects.get()
    answered = reverse("answer_objection", kwargs=run | {"objection_id": objection.pk})
    assert admin.post(answered, {"reply": "We looked again."}).status_code == 302
    assert "We looked again." in page_of(as_user(alice), reverse("challenge", args=("winter",)))
    assert "We looked again." not in page_of(as_user(bob), reverse("challenge", args=("winter",)))


def test_the_api_gives_contests_and_ones_own_entries(project: Project, adam: User, alice: User, bob: User) -> None:
    challenge = judged_challenge(project=project, authors=[alice, bob], admin=adam)
    path = f"projects/{project.slug}/challenges"
    (row,) = Program(alice).get(path).json()["results"]
    assert (row["slug"], row["state"], row["rules_version"], row["agreement"]) == ("ours", "marking", 1, None)
    (own,) = Program(alice).get(f"{path}/{challenge.pk}/entries").json()["results"]
    assert (own["title"], own["state"], own["place"]) == ("Entry of alice", "sent", None)
    assert Program(adam).get(f"{path}/{challenge.pk}/entries").json()["results"] == []
    other = make_challenge(project=project, slug="elsewhere")
    assert Program(alice).get(f"{path}/{other.pk}/entries").json()["results"] == []
    assert Program(make_user()).get(path).status_code == 404


def test_the_pages_of_many_entries_ask_no_more_of_the_database(project: Project, adam: User) -> None:
    names = ("run_challenge", "entries_of", "challenge_results")
    counts = []
    for num in (2, 12):
        User.objects.filter(username__startswith="juror").update(username=Concat(Value("x"), F("username")))
        people = [make_user() for _ in range(num)]
        challenge = judged_challenge(project=project, authors=people, admin=adam, slug=f"of-{num}")
        for name in names:
            with CaptureQueriesContext(connection) as queries:
                assert as_user(adam).get(reverse(name, args=(project.slug, challenge.pk))).status_code == 200
            counts.append(len(queries))
    assert counts[:3] == counts[3:]
