"""Words are found in the contents of messages and nowhere else, as they are written, whatever their case."""

from typing import Any

import pytest
from django.db import connection
from django.urls import reverse
from django.utils.http import urlencode

from labeling.models import Comparison, Project, Prompt, User
from labeling.web.search import with_words_in_messages
from tests.labeling.factories import make_comparison, make_dialogue, make_prompt
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db

CONTENTS = (
    "Why is bread brown?", 'She said "hi" to me', r"C:\new\table", "one\nnice line\ttab", "100% of it", "100 of it",
    "a_b", "axb", "Zoë and ΣΟΦΟΣ", "naïve 日本語 🤖", "(a|b)*.+?[c]$^{2}", "***=x (?i)y", "it's, ok", "{} [] : ,",
    "\x01\x1f\x7f\u2028",
)  # fmt: skip
WORDS = (
    "BREAD", '"hi"', '"', "\\", r"\n", "\n", "n", "\nnice", "\t", "%", "100%", "_", "a_b", "ZOË", "zoë", "σοφος",
    "日本", "🤖", "(a|b)", ".+?", ".*", "^", "[c]$", "***=", "(?i)", "'", "','", '", "', "{}", ": ,", "\x1f",
    "\x7f\u2028", "role", "user", "content", "system", "Be brief", '{"role"', "\\u", "\\\\",
)  # fmt: skip


def found(words: str) -> set[str]:
    return {prompt.messages[-1]["content"] for prompt in with_words_in_messages(Prompt.objects.all(), words)}


def test_words_are_found_where_they_are_said_and_nowhere_else(project: Project) -> None:
    for content in CONTENTS:
        make_prompt(project=project, content=content)
    for words in WORDS:
        assert found(words) == {content for content in CONTENTS if words.upper() in content.upper()}, words


def test_every_message_is_searched_and_what_lies_between_two_is_not(project: Project) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi there"},
        {"role": "user", "content": "Bye"},
    ]
    prompt = make_prompt(project=project)
    Prompt.objects.filter(id=prompt.id).update(messages=messages)
    assert [bool(found(words)) for words in ("brief", "HELLO", "there", "bye")] == [True] * 4
    assert not any(found(words) for words in ("HelloHi", "Hello Hi", 'Hello", "Hi', "assistant", "hellobye"))


@pytest.mark.parametrize("words", [r"\ud83e", r"\u0000", 'x") ? (1 == 1', '" flag "i', "')--", "a" * 200])
def test_words_that_look_like_a_path_are_words(project: Project, words: str) -> None:
    make_prompt(project=project, content="something else")
    assert found(words) == set()
    make_prompt(project=project, content=f"before {words} after")
    assert found(words) == {f"before {words} after"}


def test_comparisons_are_searched_alike(project: Project, rita: User) -> None:
    told = {"messages": [{"role": "user", "content": 'She said "hi" at 100%'}], "state": Comparison.State.DONE}
    make_comparison(project=project, open_slots=0, **told)
    make_comparison(project=project, open_slots=0, state=Comparison.State.DONE)
    address, client = reverse("choose_comparison", args=(project.slug,)), as_user(rita)
    for words, num in (('"HI"', 1), ("100%", 1), ("%", 1), ("role", 0), ("", 2)):
        page = client.get(f"{address}?{urlencode({'q': words})}").content.decode()
        assert page.count("/new/") == num, words


def test_topics_and_names_are_found_as_they_are_written(project: Project, rita: User) -> None:
    for topic in ("100% of_it", "100 of it", 'a "b" \\c', "ΣΟΦΟΣ"):
        make_dialogue(project=project, state="accepted", topic=topic)
    client = as_user(rita)
    for words, num in (("%", 1), ("_", 1), ("100", 2), ('"B"', 1), ("\\", 1), ("σοφος", 1), ("role", 0)):
        page = client.get(reverse("dialogues", args=(project.slug,)) + f"?{urlencode({'q': words})}").content.decode()
        assert page.count("/review/") - page_of_nothing(client, project).count("/review/") == num, words


def page_of_nothing(client: Any, project: Project) -> str:
    address = reverse("dialogues", args=(project.slug,)) + "?q=nothing+like+it"
    return str(client.get(address).content.decode())


def test_the_faster_test_comes_first_and_no_row_is_taken_apart(project: Project) -> None:
    rows = with_words_in_messages(Prompt.objects.filter(project=project), "bread").order_by("-created_at", "-id")
    statement, values = rows[:26].query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "SubPlan" not in plan
    assert 0 < plan.index("~~ '%BREAD%'") < plan.index("CASE WHEN") < plan.index("like_regex")
