"""Text that means harm is shown as text on every page that shows text, and breaks no layout, on a phone either."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Comparison, Completion, Dialogue, Project, SamplingRun, User
from tests.answering import send_result
from tests.browser.conftest import DESKTOP, NARROW
from tests.labeling.factories import make_comparison, make_dialogue, make_project, make_run, make_thumb, make_user

OpenPage = Callable[..., Page]

HOSTILE = {
    "script": "<script>window.harmed = 1</script><img src=x onerror='window.harmed = 1'>",
    "svg": "<svg onload='window.harmed = 1'><a xlink:href='javascript:window.harmed=1'><text>hi</text></a></svg>",
    "links": "[one](javascript:window.harmed=1) [two](JaVaScRiPt:window.harmed=1) <javascript:window.harmed=1> "
    "[three](data:text/html,<script>parent.harmed=1</script>) ![four](javascript:window.harmed=1)",
    "direction": "safe \u202egnp.exe\u202c \u2066hidden\u2069 end",
    "long words": "x" * 10_000 + " `" + "y" * 10_000 + "` https://example.org/" + "z" * 10_000,
    "long": "A hundred thousand characters, and each of them is here. " * 1_754,
    "formulas": r"$\text{<script>window.harmed=1</script>}$ \(\href{javascript:window.harmed=1}{x}\) "
    r"$$\mathrm{<img src=x onerror=window.harmed=1>}$$ $\style{position:fixed}{x}$ $\hspace{9999em}x$ "
    r"$\text{</mtext></math><h1>not ours</h1>}$ $" + r"x^{2}+" * 300 + "1$ $" + "{" * 900 + "$",
    "code": "```html\n</code></pre><h1>not ours</h1><script>window.harmed = 1</script>\n```\n"
    "```<h1>not ours</h1> onload=window.harmed=1\nx\n```\n```python\nx = '" + "z" * 3_000 + "' # </span>\n```",
    "closing": "</textarea></script></pre></div></main><h1>not ours</h1>",
}
assert len(HOSTILE["long"]) < 100_000 < len(HOSTILE["long"]) + 60


@pytest.fixture
def project() -> Project:
    return make_project(slug="harm", num_suggestions=2, num_completions=4, asks_ratings=True)


def dialogue_of(project: Project, author: User, text: str, **fields: Any) -> Dialogue:
    turns = [("user", text, "typed"), ("assistant", text, "edited"), ("user", text, "typed")]
    composer = {"role": "assistant", "content": text}
    return make_dialogue(project=project, author=author, turns=turns, composer=composer, **fields)


def sampled(dialogue: Dialogue, purpose: str, text: str) -> None:
    """Answers as hostile as what is asked, for the trainer to take or choose."""
    plain = [{"role": one.role, "content": one.content} for one in dialogue.messages.order_by("position")]
    run = make_run(
        project=dialogue.project,
        purpose=purpose,
        dialogue=dialogue,
        messages=plain,
        position=len(plain),
        num_completions=2,
        requested_by=dialogue.author,
        state=SamplingRun.State.SENT,
        attempt=1,
    )
    send_result(run, text, f"{text} again")


def comparison_of(project: Project, text: str) -> Comparison:
    made = make_comparison(project=project, messages=[{"role": "user", "content": text}] * 3)
    Completion.objects.filter(comparison=made).update(content=text)
    return made


def require_inert(page: Page) -> None:
    """Nothing ran, nothing of the text became part of the page, and the page is no wider than its window."""
    page.wait_for_timeout(150)  # for whatever would load or run
    assert page.evaluate("window.harmed") is None
    assert page.locator("main :is(script:not([type='application/json']), [onload], [onerror], iframe)").count() == 0
    assert page.locator("main [href^='javascript' i], main [href^='data' i], main [src^='javascript' i]").count() == 0
    assert page.get_by_role("heading", name="not ours").count() == 0
    for width in (DESKTOP, NARROW):
        page.set_viewport_size(width)  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.scrollWidth") <= width["width"]


@pytest.mark.parametrize("kind", HOSTILE)
def test_writing_shows_it_as_text(open_page: OpenPage, project: Project, alice: User, kind: str) -> None:
    dialogue = dialogue_of(project, alice, HOSTILE[kind])
    sampled(dialogue, "suggestion", HOSTILE[kind])
    page = open_page(f"/p/harm/write/{dialogue.pk}/", user=alice)
    expect(page.locator(".candidate .take")).to_have_count(2)
    require_inert(page)
    page.locator("#thread article").nth(1).get_by_role("link", name="Edit this message").click()
    expect(page.get_by_label("The message", exact=True)).to_have_value(HOSTILE[kind])
    require_inert(page)
    expect(page.locator("#composer-text")).to_have_value(HOSTILE[kind])


@pytest.mark.parametrize("kind", HOSTILE)
def test_chatting_shows_it_as_text(open_page: OpenPage, project: Project, alice: User, kind: str) -> None:
    dialogue = dialogue_of(project, alice, HOSTILE[kind], kind=Dialogue.Kind.CHAT)
    sampled(dialogue, "chat", HOSTILE[kind])
    page = open_page(f"/p/harm/chat/{dialogue.pk}/", user=alice)
    expect(page.locator(".candidate .take")).to_have_count(2)
    require_inert(page)


@pytest.mark.parametrize("kind", HOSTILE)
def test_ranking_shows_it_as_text(open_page: OpenPage, project: Project, alice: User, kind: str) -> None:
    comparison_of(project, HOSTILE[kind])
    page = open_page("/p/harm/rank/", user=alice)
    page.get_by_role("button", name="Next comparison").click()
    expect(page.locator("html.has-board .completion")).to_have_count(4)
    page.keyboard.press("c")
    expect(page.locator(".better textarea:focus")).to_have_value(HOSTILE[kind])
    require_inert(page)


@pytest.mark.parametrize("kind", HOSTILE)
def test_the_raw_view_shows_it_as_text(open_page: OpenPage, project: Project, alice: User, kind: str) -> None:
    comparison_of(project, HOSTILE[kind])
    page = open_page("/p/harm/rank/", user=alice)
    page.get_by_role("button", name="Next comparison").click()
    expect(page.locator("html.has-board .completion")).to_have_count(4)
    page.keyboard.press("v")
    expect(page.locator(".completion .raw")).to_have_count(4)
    assert page.locator(".completion .raw").first.evaluate("(raw) => raw.textContent") == HOSTILE[kind]
    require_inert(page)


@pytest.mark.parametrize("kind", HOSTILE)
def test_reviewing_shows_it_as_text(open_page: OpenPage, project: Project, alice: User, rita: User, kind: str) -> None:
    dialogue = dialogue_of(project, alice, HOSTILE[kind], state=Dialogue.State.SUBMITTED, topic=HOSTILE["closing"])
    page = open_page(f"/p/harm/review/{dialogue.pk}/", user=rita)
    expect(page.locator("#thread article")).to_have_count(3)
    require_inert(page)


@pytest.mark.parametrize("kind", HOSTILE)
def test_the_list_of_thumbs_shows_it_as_text(open_page: OpenPage, project: Project, kind: str) -> None:
    text = HOSTILE[kind]
    messages = [{"role": "user", "content": text}]
    names = {"outside_policy": text[:100], "outside_trainer": text[:80], "source": text[:200]}
    make_thumb(project=project, messages=messages, content=text, reason=text, **names)
    page = open_page("/p/harm/data/thumbs/", user=make_user(username="erin", projects=[project]))
    page.locator("tbody summary").click()
    expect(page.locator(".said")).to_have_count(2)
    require_inert(page)


def test_text_that_turns_direction_says_where_it_does(open_page: OpenPage, project: Project, alice: User) -> None:
    comparison_of(project, HOSTILE["direction"])
    page = open_page("/p/harm/rank/", user=alice)
    page.get_by_role("button", name="Next comparison").click()
    expect(page.locator(".completion .prose").first).to_contain_text("[U+202E]")


@pytest.mark.parametrize("harm", ["<a href='javascript:x'>run</a>", "<iframe></iframe>", "<h1>not ours</h1>"])
def test_the_check_would_find_what_runs(open_page: OpenPage, alice: User, harm: str) -> None:
    page = open_page("/", user=alice)
    page.evaluate("(harm) => { document.querySelector('main').innerHTML = harm }", harm)
    with pytest.raises(AssertionError):
        require_inert(page)
