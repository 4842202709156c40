"""The pages of practice and gold items: chosen, ordered on the board, adopted, listed with figures, retired."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from labeling.models import Comparison, Lease, Project, Ranking, Reference, User
from labeling.rankings import assignment
from labeling.rankings.submission import Submission
from tests.labeling.factories import make_comparison, make_comparisons, make_project, make_reference, make_user
from tests.labeling.signed_in import as_user, page_of, post_json

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return make_project(slug="bread", gold_every=1)


def new_url(comparison: Comparison) -> str:
    return reverse("new_reference", args=("bread", comparison.id))


def ordered(comparison: Comparison, **more: Any) -> dict[str, Any]:
    shelves = {str(one.id): one.index + 1 for one in comparison.completions.all()}
    words = {"use": "practice", "lesson": "Short", "explanation": "It *answers*."}
    return {"key": str(uuid.uuid4()), "shelves": shelves, "line": 4, **words, **more}


def rank(project: Project, by: User, *, turned: bool = False) -> Ranking:
    """By the order of the completions' indices, or the opposite."""
    lease = assignment.claim(project, by=by)
    assert isinstance(lease, Lease)
    ids = [str(one.id) for one in lease.comparison.completions.order_by("-index" if turned else "index")]
    ranking = assignment.submit(lease, Submission(tiers=tuple((one,) for one in ids)), key=uuid.uuid4(), by=by).ranking
    assert ranking is not None
    return ranking


def test_a_reviewer_chooses_orders_and_explains(project: Project, rita: User) -> None:
    comparison = make_comparison(project=project)
    client = as_user(rita)
    assert new_url(comparison) in page_of(client, reverse("choose_comparison", args=("bread",)))
    assert "What it is for" in page_of(client, new_url(comparison))
    answer = post_json(client, new_url(comparison), ordered(comparison))
    assert answer.json()["next"] == "/p/bread/quality/references/"
    reference = Reference.objects.get()
    assert (reference.lesson, reference.explanation, reference.unacceptable_from) == ("Short", "It *answers*.", 3)
    assert (reference.comparison.use, reference.made_by) == ("practice", rita)
    assert "Short" in page_of(client, "/p/bread/quality/references/")
    assert "already" in page_of(client, new_url(comparison))


def test_the_list_to_choose_from_is_searched_and_paged(project: Project, rita: User) -> None:
    make_comparisons(project=project, num=30)
    make_comparison(project=project, messages=[{"role": "user", "content": "How do I bake rye bread?"}])
    make_reference(project=project)
    client, address = as_user(rita), reverse("choose_comparison", args=("bread",))
    first = client.get(address)
    assert first.content.decode().count("/new/") == 25
    assert page_of(client, address + first.context["listing"].next_query).count("/new/") == 6
    assert page_of(client, f"{address}?q=rye").count("/new/") == 1
    assert page_of(client, f"{address}?state=done").count("/new/") == 0
    assert "Nothing fits" in page_of(client, f"{address}?q=zzz")


def test_a_ranking_is_adopted(project: Project, rita: User, alice: User) -> None:
    comparison = make_comparison(project=project)
    ranking = rank(project, alice, turned=True)
    Ranking.objects.update(note="The first is <late>.")
    page = as_user(rita).get(f"{new_url(comparison)}?adopt={ranking.id}")
    board = page.context["facts"]["draft"]["board"]
    ids = [str(one) for one in comparison.completions.order_by("-index").values_list("id", flat=True)]
    assert board == {"shelves": {identifier: at + 1 for at, identifier in enumerate(ids)}, "line": 5}
    assert "Alice" in page.content.decode()
    assert "The first is &lt;late&gt;." in page.content.decode()
    history = page_of(as_user(alice), "/history/")
    assert "The first is &lt;late&gt;." in history
    assert "as reference" not in history


def test_a_reviewers_own_rankings_lead_there(project: Project, rita: User) -> None:
    comparison = make_comparison(project=project)
    ranking = rank(project, rita)
    assert f"{new_url(comparison)}?adopt={ranking.id}" in page_of(as_user(rita), "/history/")
    gold = make_reference(project=project)
    ranking = rank(project, rita)
    assert ranking.comparison == gold.comparison
    address = f"{new_url(gold.comparison)}?adopt={ranking.id}"
    assert address in page_of(as_user(rita), "/history/")
    assert as_user(rita).get(address)["Location"] == reverse("reference", args=("bread", gold.comparison_id))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"use": "work"}, "choice"),
        ({"explanation": ""}, "explanation"),
        ({"shelves": {}}, "exactly one place"),
        ({"key": "none"}, "key"),
    ],
)
def test_what_is_not_a_reference_is_refused(
    project: Project, rita: User, change: dict[str, Any], sentence: str
) -> None:
    comparison = make_comparison(project=project)
    answer = post_json(as_user(rita), new_url(comparison), ordered(comparison) | change)
    assert answer.status_code == 422
    assert sentence in answer.json()["error"]
    assert not Reference.objects.exists()


def test_it_works_without_scripts(project: Project, rita: User) -> None:
    comparison = make_comparison(project=project)
    values = ordered(comparison)
    form = {f"shelf:{one}": shelf for one, shelf in values.pop("shelves").items()} | values
    refused = as_user(rita).post(new_url(comparison), form | {"explanation": ""})
    assert refused.status_code == 422
    assert "Short" in refused.content.decode()  # what was typed is still there
    assert as_user(rita).post(new_url(comparison), form).status_code == 302
    assert Reference.objects.get().unacceptable_from == 3


def test_the_list_says_how_people_did(project: Project, rita: User, alice: User) -> None:
    reference = make_reference(project=project)
    rank(project, alice)
    rank(project, make_user(username="bob", projects=[project]), turned=True)
    client = as_user(rita)
    (figures,) = [
        figures for _title, rows in client.get("/p/bread/quality/references/").context["groups"] for _, figures in rows
    ]
    assert figures.num_people == 2
    assert (figures.agreement.value, figures.agreement.n) == (0.5, 12)
    assert "2 people have ranked it" in page_of(client, reverse("reference", args=("bread", reference.comparison_id)))


def test_the_quality_page_shows_each_trainers_agreement_with_gold(project: Project, rita: User, alice: User) -> None:
    make_reference(project=project)
    make_comparison(project=project)
    rank(project, alice)
    rank(project, alice)
    page = as_user(rita).get("/p/bread/quality/")
    (row,) = page.context["figures"].trainers
    assert row.num_rankings == 1  # gold is no work
    assert (row.gold.value, row.gold.n) == (1.0, 6)
    assert row.gold.low == pytest.approx(0.6097, abs=1e-4)  # Wilson, 6 of 6
    assert "n = 6" in page.content.decode()


def test_ones_own_figures_move_at_midnight_and_name_no_gold_item(project: Project, alice: User) -> None:
    for _ in range(2):
        make_reference(project=project)
        rank(project, alice)
    client = as_user(alice)
    assert "As on gold items" not in page_of(client, "/history/")
    Ranking.objects.update(ranked_at=timezone.now() - timedelta(days=1))
    page = page_of(client, "/history/")
    assert "As on gold items" in page
    assert "of 12 pairs until yesterday" in page
    assert "gold" not in page.split("<h2", 1)[1].lower()


def test_words_are_changed_and_it_is_retired(project: Project, rita: User) -> None:
    reference = make_reference(project=project)
    client, address = as_user(rita), reverse("reference", args=("bread", reference.comparison_id))
    assert client.post(address, {"lesson": "New", "explanation": "Since."}).status_code == 302
    assert client.post(address, {"lesson": "x" * 200}).status_code == 422
    retire = reverse("retire_reference", args=("bread", reference.comparison_id))
    client.post(retire, {"retired": "yes"})
    assert "Bring back" in page_of(client, "/p/bread/quality/references/")
    client.post(retire, {"retired": "no"})
    reference.refresh_from_db()
    assert (reference.lesson, reference.is_retired) == ("New", False)


def test_trainers_and_strangers_cannot_see_them(project: Project, alice: User) -> None:
    reference = make_reference(project=project)
    comparison = make_comparison(project=project)
    addresses = [
        reverse("references", args=("bread",)),
        reverse("choose_comparison", args=("bread",)),
        new_url(comparison),
        reverse("reference", args=("bread", reference.comparison_id)),
    ]
    stranger = make_user(username="stranger", role=User.Role.REVIEWER)
    for address in addresses:
        assert as_user(alice).get(address).status_code == 403
        assert as_user(stranger).get(address).status_code == 404


def test_queries_do_not_grow_with_the_references(
    project: Project, rita: User, alice: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(6):
        make_reference(project=project)
        rank(project, alice)
    client = as_user(rita)
    for address in ("/p/bread/quality/references/", reverse("choose_comparison", args=("bread",))):
        with django_assert_max_num_queries(11):
            client.get(address)
