"""Lists of all prompts, exports, imports, jobs and people: narrowed, sorted, in pages, whatever an address says."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling.models import AuditEvent, Export, Import, Project, Prompt, TrainingJob, User
from labeling.web.listing import PAGE
from tests.labeling.factories import make_comparison, make_dialogue, make_project, make_prompt, make_thumb, make_user
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db


def url(project: Project, name: str, *more: Any) -> str:
    return reverse(name, args=(project.slug, *more))


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def texts(shown: str) -> list[str]:
    return re.findall(r'<details class="whole"><summary>(.*?)</summary>', shown)


def way_on(shown: str) -> str | None:
    found = re.search(r'href="(\?[^"]*)">Next page', shown)
    return found[1].replace("&amp;", "&") if found else None


@pytest.fixture
def prompts(project: Project) -> list[Prompt]:
    """More than two pages, three of each second, the newest last."""
    made = [make_prompt(project=project, content=f"Question {number:03}") for number in range(2 * PAGE + 7)]
    since = timezone.now() - timedelta(days=1)
    for number, prompt in enumerate(made):
        prompt.created_at = since + timedelta(seconds=number // 3)
    Prompt.objects.bulk_update(made, ["created_at"])
    make_prompt(project=make_project(), content="Elsewhere")
    return made


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_pages_hold_every_prompt_once_in_order(
    project: Project, erins_browser: Client, prompts: list[Prompt], order: str
) -> None:
    seen: list[str] = []
    address: str | None = f"?order={order}"
    num_pages = 0
    while address is not None:
        shown = page(erins_browser, url(project, "prompts") + address)
        seen += texts(shown)
        assert ("First page" in shown) == (num_pages > 0)
        address, num_pages = way_on(shown), num_pages + 1
    assert (len(seen), num_pages) == (len(prompts), 3)
    assert sorted(seen) == [str(prompt) for prompt in prompts]
    seconds = [int(text.removeprefix("Question ")) // 3 for text in seen]
    assert seconds == sorted(seconds, reverse=order == "newest")


def test_what_comes_in_meanwhile_neither_repeats_nor_hides(
    project: Project, erins_browser: Client, prompts: list[Prompt]
) -> None:
    first = page(erins_browser, url(project, "prompts"))
    make_prompt(project=project, content="A newcomer")
    second = page(erins_browser, url(project, "prompts") + str(way_on(first)))
    assert not set(texts(first)) & set(texts(second))
    assert len(set(texts(first) + texts(second))) == 2 * PAGE


def test_prompts_are_narrowed_by_words_topic_and_use(project: Project, erins_browser: Client) -> None:
    make_prompt(project=project, content="Why is bread brown? 100%", topic="baking")
    make_prompt(project=project, content="Why is the sea blue?", topic="nature", retired_at=timezone.now())
    for query, wanted in (
        ("?q=BREAD", ["Why is bread brown? 100%"]),
        ("?q=100%25", ["Why is bread brown? 100%"]),
        ("?q=%25", ["Why is bread brown? 100%"]),
        ("?topic=nature", ["Why is the sea blue?"]),
        ("?use=yes", ["Why is bread brown? 100%"]),
        ("?use=no&topic=nature&q=why", ["Why is the sea blue?"]),
        ("?use=no&topic=baking", []),
    ):
        shown = page(erins_browser, url(project, "prompts") + query)
        assert texts(shown) == wanted, query
        assert "Show all" in shown
    assert "Nothing fits all that was chosen above." in shown


@pytest.mark.parametrize("query", ["?after=nonsense", "?after=WyJhIl0", "?order=best&use=maybe&topic=none"])
def test_an_address_that_makes_no_sense_shows_the_beginning(
    project: Project, erins_browser: Client, prompts: list[Prompt], query: str
) -> None:
    assert texts(page(erins_browser, url(project, "prompts") + query)) == texts(
        page(erins_browser, url(project, "prompts"))
    )


def test_a_prompt_is_retired_where_it_stands(project: Project, erins_browser: Client) -> None:
    prompt = make_prompt(project=project)
    address = url(project, "prompts") + "?order=oldest"
    answer = erins_browser.post(url(project, "retire_prompt", prompt.id), {"retired": "yes", "next": address})
    assert answer["Location"] == address
    assert not Prompt.objects.in_use().filter(project=project).exists()
    answer = erins_browser.post(
        url(project, "retire_prompt", prompt.id), {"retired": "no", "next": "https://example.org/"}
    )
    assert answer["Location"] == url(project, "prompts")
    assert Prompt.objects.in_use().filter(project=project).exists()


def test_exports_imports_and_jobs_are_listed_by_kind_and_state(project: Project, erins_browser: Client) -> None:
    done = Export.objects.create(project=project, kind="rankings", state="done", num_records=3)
    failed = Export.objects.create(project=project, kind="prompts", state="failed", num_records=9)
    Import.objects.create(project=project, kind="rankings", file_name="pairs.jsonl", num_bytes=1, state="done")
    TrainingJob.objects.create(project=project, kind="ppo", export=done, output_name="optimised", state="done")
    for name, query, wanted, others in (
        ("exports", "?kind=rankings", str(done.id), str(failed.id)),
        ("exports", "?state=failed", str(failed.id), str(done.id)),
        ("imports", "?q=PAIRS", "pairs.jsonl", "Nothing fits"),
        ("imports", "?kind=dialogues", "Nothing fits", "pairs.jsonl</a>"),
        ("training_jobs", "?kind=ppo&q=opti", ">optimised<", "Nothing fits"),
        ("training_jobs", "?state=running", "Nothing fits", ">optimised<"),
    ):
        shown = page(erins_browser, url(project, name) + query)
        assert wanted in shown, (name, query)
        assert others not in shown, (name, query)
    largest = page(erins_browser, url(project, "exports") + "?order=largest")
    assert largest.index(str(failed.id)) < largest.index(str(done.id))


def test_people_are_found_by_name_role_and_account() -> None:
    adam = as_user(make_user(username="adam"))
    make_user(username="zoe", role="reviewer", display_name="Zoë Lang")
    make_user(username="yves", role="engineer", is_active=False)
    for query, wanted, others in (
        ("?q=lang", "Zoë Lang", "yves"),
        ("?role=engineer", "yves", "Zoë Lang"),
        ("?account=open&role=engineer", "Nobody fits", "Zoë Lang"),
        ("?account=closed", "yves", "Zoë Lang"),
    ):
        shown = page(adam, reverse("people") + query)
        assert wanted in shown, query
        assert others not in shown, query
    User.objects.bulk_create(User(username=f"trainer-{number:03}", password="!") for number in range(2 * PAGE))
    shown = page(adam, reverse("people"))
    assert "trainer-001" in shown
    assert "zoe" not in shown
    assert "zoe" in page(adam, reverse("people") + str(way_on(page(adam, reverse("people") + str(way_on(shown))))))


@pytest.mark.parametrize("name", ["prompts", "exports", "imports", "training_jobs", "thumbs"])
def test_trainers_and_strangers_see_no_list(project: Project, alice: User, name: str) -> None:
    stranger = make_user(username="eve", role="engineer")
    assert as_user(alice).get(url(project, name)).status_code in (403, 404)
    assert as_user(stranger).get(url(project, name)).status_code == 404


def make_thumbs_of_all_kinds(project: Project) -> None:
    for number in range(8):
        messages = [{"role": "user", "content": f"Question {number}?"}]
        compared = make_comparison(project=project, round=project.current_round)
        fields: dict[str, Any] = {"comparison": compared} if number % 2 else {"policy": project.policy}
        make_thumb(project=project, messages=messages, wants_comparison=True, **fields)


def test_a_page_costs_as_many_queries_however_many_rows(
    project: Project, erins_browser: Client, prompts: list[Prompt], django_assert_max_num_queries: Any
) -> None:
    make_thumbs_of_all_kinds(project)
    for name in ("prompts", "thumbs"):
        with django_assert_max_num_queries(8):
            page(erins_browser, url(project, name))


def test_reviewers_find_what_was_handed_in(project: Project, rita: User, alice: User) -> None:
    turns = [("user", "Why is the sky blue?", "typed"), ("assistant", "Light scatters.", "typed")]
    accepted = make_dialogue(project=project, author=alice, state="accepted", topic="nature", turns=turns)
    make_dialogue(project=project, author=alice, state="draft", turns=[("user", "Not yet", "typed")])
    make_dialogue(project=project, state="withdrawn", turns=[("user", "Gone", "typed")])
    make_dialogue(project=project, author=rita, kind="chat", turns=[("user", "Mine", "typed")])
    reviewer = as_user(rita)
    shown = page(reviewer, url(project, "dialogues"))
    assert url(project, "review_dialogue", accepted.id) in shown
    for text, is_there in (("Why is the sky blue?", True), ("Mine", True), ("Not yet", False), ("Gone", False)):
        assert (text in shown) == is_there, text
    for query, num in (("?state=accepted", 1), ("?q=alice", 1), ("?q=NATUR", 1), ("?kind=chat", 1), ("?q=nobody", 0)):
        shown = page(reviewer, url(project, "dialogues") + query)
        assert len(re.findall(r"/review/[0-9a-f-]{36}/", shown)) == num, query
    assert as_user(alice).get(url(project, "dialogues")).status_code in (403, 404)


def test_thumbs_are_counted_narrowed_and_say_what_became_of_them(project: Project, erins_browser: Client) -> None:
    make_thumb(project=project, content="Paris.", up=True, outside_policy="assistant-7", outside_trainer="reader-3")
    make_thumb(project=project, content="Rome.", reason="Another country.", wants_comparison=True)
    compared = make_comparison(project=project, round=project.current_round)
    make_thumb(project=project, content="Lyon.", wants_comparison=True, comparison=compared)
    make_thumb(project=project, content="Bonn.", retracted_at=timezone.now())
    make_thumb(project=make_project(), content="Elsewhere.")
    shown = page(erins_browser, url(project, "thumbs"))
    assert texts(shown) == ["Bonn.", "Lyon.", "Rome.", "Paris."]
    for words in ("1 up, 2 down", "assistant-7", "reader-3", "compared in round 1", "waits to be compared"):
        assert words in shown
    for query, expected in {
        "?thumb=up": ["Paris."],
        "?thumb=down&use=yes": ["Lyon.", "Rome."],
        "?use=no": ["Bonn."],
        "?q=country": ["Rome."],
        "?q=lyon": ["Lyon."],
        "?thumb=sideways": ["Bonn.", "Lyon.", "Rome.", "Paris."],
    }.items():
        assert texts(page(erins_browser, url(project, "thumbs") + query)) == expected, query
    Project.objects.update(compares_thumbs_down=True)
    project.rounds.update(closed_at=timezone.now())
    shown = page(erins_browser, url(project, "thumbs"))
    assert "No round is open" in shown
    assert "waits for a round" in shown


def test_a_thumb_is_retracted_from_the_list_and_brought_back(project: Project, erins_browser: Client) -> None:
    thumb = make_thumb(project=project)
    address = url(project, "thumbs") + "?thumb=down"
    for given, is_retracted in (("yes", True), ("yes", True), ("no", False)):
        answer = erins_browser.post(url(project, "retract_thumb", thumb.id), {"retracted": given, "next": address})
        thumb.refresh_from_db()
        assert (answer.headers["Location"], thumb.retracted_at is not None) == (address, is_retracted)
    assert AuditEvent.objects.filter(subject_id=str(thumb.id)).count() == 2
    elsewhere = make_thumb(project=make_project())
    assert erins_browser.post(url(project, "retract_thumb", elsewhere.id), {"retracted": "yes"}).status_code == 404
