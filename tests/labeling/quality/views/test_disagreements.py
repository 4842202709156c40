"""The pages of disagreements: the farthest first, everybody's order beside the others, sent by an admin."""

import pytest
from django.urls import reverse
from django.utils import timezone

from labeling.models import Adjudication, Comparison, Project, SeenOrders, User
from labeling.rankings import disagreement
from tests.labeling.factories import make_comparisons, make_project, make_user
from tests.labeling.rankings.disputed import adjudicated, make_disputed, rank
from tests.labeling.signed_in import as_user, page_of

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/p/bread/quality/disagreements/"


@pytest.fixture
def project() -> Project:
    return make_project(slug="bread")


@pytest.fixture
def adam() -> User:
    return make_user(username="adam", role="admin")


@pytest.fixture
def rita(project: Project) -> User:
    return make_user(username="rita", role="reviewer", projects=[project])


@pytest.fixture
def disputed(project: Project, alice: User, bob: User) -> Comparison:
    return make_disputed(project, alice, bob, topic="crumb")


def url_of(comparison: Comparison) -> str:
    return reverse("disagreement", args=("bread", comparison.id))


def test_the_farthest_come_first_and_can_be_narrowed(project: Project, alice: User, bob: User, adam: User) -> None:
    for number, order in enumerate(((0, 1, 2, 3), (0, 1, 3, 2), (3, 2, 1, 0))):
        (comparison,) = make_comparisons(
            project=project, num=1, rankings_wanted=2, messages=[{"role": "user", "content": f"Question {number}?"}]
        )
        rank(project, alice)
        rank(project, bob, *order)
    client = as_user(adam)
    page = page_of(client, LIST)
    assert page.index("Question 2?") < page.index("Question 1?") < page.index("Question 0?")
    assert "100 %" in page
    narrowed = page_of(client, f"{LIST}?above=50")
    assert "Question 2?" in narrowed
    assert "Question 1?" not in narrowed
    disagreement.send(comparison, by=adam)
    assert "Question 2?" not in page_of(client, f"{LIST}?adjudication=none")
    assert "Question 1?" not in page_of(client, f"{LIST}?adjudication=waiting")
    adjudicated(project, make_user(username="ruth", role="reviewer", projects=[project]))
    assert "Question 2?" in page_of(client, f"{LIST}?adjudication=done")
    current = project.current_round
    assert current is not None
    Comparison.objects.filter(id=comparison.id).update(round=current)
    narrowed = page_of(client, f"{LIST}?round={current.number}")
    assert "Question 2?" in narrowed
    assert "Question 1?" not in narrowed
    Comparison.objects.filter(id=comparison.id).update(state="withdrawn")
    assert "Question 2?" not in page_of(client, LIST)


def test_the_list_is_paged_at_the_same_cost(
    project: Project, adam: User, django_assert_max_num_queries: object
) -> None:
    for number, comparison in enumerate(make_comparisons(project=project, num=60)):
        Comparison.objects.filter(id=comparison.id).update(distance=number / 100, num_rankings=2)
    client = as_user(adam)
    page_of(client, LIST)
    with django_assert_max_num_queries(12):  # type: ignore[operator]
        first = client.get(LIST)
    listing = first.context["listing"]
    assert [row.distance for row in listing.rows] == [number / 100 for number in range(59, 34, -1)]
    second = client.get(LIST + listing.next_query).context["listing"]
    assert [row.distance for row in second.rows] == [number / 100 for number in range(34, 9, -1)]


def test_the_orders_stand_side_by_side_pair_for_pair(disputed: Comparison, adam: User) -> None:
    page = page_of(as_user(adam), url_of(disputed))
    assert "A &gt; B &gt; C &gt; D" in page
    assert "D &gt; C &gt; B &gt; A" in page
    assert "Short is good." in page
    assert page.count("differ</span>") == 6
    assert "Alice" in page


def test_an_engineer_reads_pseudonyms_and_a_trainer_nothing(
    disputed: Comparison, erin: User, alice: User, rita: User
) -> None:
    page = page_of(as_user(erin), url_of(disputed))
    assert alice.pseudonym in page
    assert "Alice" not in page
    assert page_of(as_user(erin), LIST)
    for address in (LIST, url_of(disputed)):
        assert as_user(alice).get(address).status_code == 403
    for user in (erin, alice, rita):
        assert as_user(user).post(f"{url_of(disputed)}send/").status_code == 403
    assert not Adjudication.objects.exists()


def test_an_admin_sends_it(disputed: Comparison, adam: User) -> None:
    client = as_user(adam)
    assert "Send to adjudication" in page_of(client, url_of(disputed))
    client.post(f"{url_of(disputed)}send/")
    assert Adjudication.objects.get().sent_by == adam
    again = client.post(f"{url_of(disputed)}send/", follow=True)
    assert "sent already" in again.content.decode()
    assert "Send to adjudication" not in page_of(client, f"{url_of(disputed)}?show=yes")


def test_who_may_be_given_the_adjudication_does_not_see_the_orders_unless_they_give_it_up(
    project: Project, disputed: Comparison, adam: User, rita: User
) -> None:
    disagreement.send(disputed, by=adam)
    client = as_user(rita)
    page = page_of(client, url_of(disputed))
    assert "hidden from you" in page
    assert "A &gt; B &gt; C &gt; D" not in page
    reference = page_of(client, reverse("new_reference", args=("bread", disputed.id)))
    assert "A &gt; B &gt; C &gt; D" not in reference
    assert not SeenOrders.objects.exists()
    assert "A &gt; B &gt; C &gt; D" in page_of(client, f"{url_of(disputed)}?show=yes")
    assert SeenOrders.objects.get().person == rita
    assert "Nothing waits for you" in client.post("/p/bread/quality/adjudications/", follow=True).content.decode()


def test_the_boards_behind_a_figure_hide_the_same_and_note_who_saw_the_rest(
    project: Project, disputed: Comparison, alice: User, bob: User, adam: User, rita: User
) -> None:
    disagreement.send(disputed, by=adam)
    said = [{"role": "user", "content": "Another?"}]
    other = make_disputed(project, alice, bob, messages=said)
    page = page_of(as_user(rita), reverse("boards_behind", args=("bread", "rankings")))
    assert page.count("A &gt; B &gt; C &gt; D") == 1
    assert "hidden from you" in page
    seen = SeenOrders.objects.get()
    assert (seen.comparison, seen.person) == (other, rita)


def test_who_adopts_from_the_rankings_has_seen_them(disputed: Comparison, rita: User) -> None:
    page = page_of(as_user(rita), reverse("new_reference", args=("bread", disputed.id)))
    assert "A &gt; B &gt; C &gt; D" in page
    assert SeenOrders.objects.get().person == rita


def test_unclear_guidelines_stand_beside_the_guidelines_until_a_new_version(
    project: Project, disputed: Comparison, adam: User, rita: User
) -> None:
    disagreement.send(disputed, by=adam)
    words = "Does a short answer win?"
    adjudicated(project, rita, reason="unclear guideline", words=words, wants_revision=True)
    client = as_user(adam)
    assert words in page_of(client, "/p/bread/settings/guidelines/")
    project.guideline_versions.create(version=90, text="Short wins.", created_at=timezone.now())
    assert words not in page_of(client, "/p/bread/settings/guidelines/")
