"""Every key that a page shows works there, with the focus where it is, and is said by `aria-keyshortcuts`.

All pages are walked: every address whose answer holds a <kbd>. After the page is loaded nothing reaches the server:
requests are counted and answered with 204, which leaves the page as it is for the next key.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.test import Client
from playwright.sync_api import Page, Route, expect

from labeling.models import Dialogue, Project, User
from tests.answering import answer, stream_words, wait_for_run
from tests.browser.ranking_page import board_is_ready, bread_comparison
from tests.labeling.factories import make_chat, make_dialogue, make_project
from tests.labeling.web.full_project import addresses, make_full_project

OpenPage = Callable[..., Page]

TURNS = [
    ("user", "Why is the sky blue?", "typed"),
    ("assistant", "Light scatters.", "typed"),
    ("user", "Why?", "typed"),
]
NAMES = {"⏎": "Enter", "Esc": "Escape", "Ctrl": "Control", "Alt": "Alt", "↑": "ArrowUp", "↓": "ArrowDown"}

EVERYTHING = "**/*"
# Each <kbd> in sight: what it shows, what the style sheet writes before it, and the shortcut that its control says.
SHOWN = """() => [...document.querySelectorAll('kbd')]
  .filter((kbd) => kbd.checkVisibility({visibilityProperty: true}) && !kbd.closest('dialog'))
  .map((kbd) => {
    const before = getComputedStyle(kbd, '::before').content;
    const around = kbd.closest('a, button, summary, label');
    const control = around?.control ?? around;
    return {
      before: before === 'none' ? '' : before.replaceAll('"', '').trim(),
      text: kbd.textContent.trim(),
      said: control?.getAttribute('aria-keyshortcuts') ?? '',
    };
  })"""
# What happens from now on: a click, a change outside of clocks, another focus; or a character that was typed.
WATCH = """() => {
  const seen = window.seen = {acts: 0, typed: 0};
  document.addEventListener('focusin', () => { seen.acts += 1; });
  document.addEventListener('input', ({data}) => { seen.typed += data?.length === 1 ? 1 : 0; });
  document.addEventListener('click', ({target}) => {
    if (target.closest('a, button, summary, label')) seen.acts += 1;
  }, true);
  new MutationObserver((all) => {
    const counts = ({target}) => !(target.parentElement ?? target).closest('.lease, #save-state, textarea');
    seen.acts += all.filter(counts).length;
  }).observe(document.body, {childList: true, subtree: true, attributes: true, characterData: true});
}"""


@dataclass
class Walk:
    """A page in a certain state, its keys pressed one at a time, and what was wrong with them."""

    page: Page
    num_keys: int = 0
    problems: list[str] = field(default_factory=list)
    _num_requests: int = 0

    def _answer(self, route: Route) -> None:
        self._num_requests += 1
        route.fulfill(status=204)

    def look(self, path: str, prepare: Callable[[Page], None] | None = None, *, legend: bool = False) -> None:
        """Press each key that is shown at `path`, or that the page's table of keys names."""
        self._load(path, prepare)
        shown = _in_table(self.page) if legend else self.page.evaluate(SHOWN)
        for number, one in enumerate(shown):
            if number:
                self._load(path, prepare)
            self._press(path, one, legend=legend)

    def _load(self, path: str, prepare: Callable[[Page], None] | None) -> None:
        self.leave()
        self.page.goto(path)
        self.page.wait_for_load_state()
        if prepare:
            prepare(self.page)
        self.page.route(EVERYTHING, self._answer)

    def leave(self) -> None:
        """Also forget what this key left in the browser: a board that it made incomplete refuses the next one."""
        if self.page.url.startswith("http"):
            self.page.evaluate("localStorage.clear()")
        self.page.goto("about:blank")  # before the server can be reached again: the last key may still act
        self.page.unroute(EVERYTHING)

    def _press(self, path: str, shown: dict[str, str], *, legend: bool) -> None:
        self.num_keys += 1
        label = f"{path}: {shown['before']} {shown['text']}"
        if not legend and shown["said"] != _playwright_key(shown["text"]):
            self.problems.append(f"{label} is said as {shown['said']!r}")
        if shown["before"]:
            self.page.keyboard.press(_playwright_key(shown["before"]))
        self._num_requests = 0
        self.page.evaluate(WATCH)
        self.page.keyboard.press(_playwright_key(shown["text"]))
        seen = self._wait()
        if seen["typed"]:
            self.problems.append(f"{label} types")
        elif not seen["acts"]:
            self.problems.append(f"{label} does nothing")

    def _wait(self, milliseconds: int = 1500) -> dict[str, int]:
        for _ in range(milliseconds // 50):
            seen: dict[str, int] = self.page.evaluate("window.seen")
            if seen["acts"] or seen["typed"] or self._num_requests:
                return seen | {"acts": seen["acts"] + self._num_requests}
            self.page.wait_for_timeout(50)
        return {"acts": 0, "typed": 0}


def _playwright_key(shown: str) -> str:
    return "+".join(NAMES.get(name, name) for name in shown.split())


def _in_table(page: Page) -> list[dict[str, str]]:
    keys = page.locator("dialog#keys tbody kbd").all_text_contents()
    return [{"before": "", "text": key.strip(), "said": ""} for key in keys]


@pytest.fixture
def project() -> Project:
    return make_project(slug="bread", num_suggestions=2, asks_ratings=False)


@pytest.fixture
def walk(open_page: OpenPage, alice: User) -> Iterator[Walk]:
    done = Walk(open_page("/account/", user=alice))
    yield done
    done.page.close()


@pytest.fixture
def draft(project: Project, alice: User) -> Dialogue:
    return make_dialogue(project=project, author=alice, turns=TURNS)


def test_every_key_that_a_page_shows_works_there(open_page: OpenPage, store: Path) -> None:
    full = make_full_project()
    client = Client()
    client.force_login(full.adam)
    walk = Walk(open_page("/account/", user=full.adam))
    for pattern in addresses():
        path = full.address(pattern)
        answered = client.get(path)
        text = "" if answered.streaming or answered.status_code != 200 else answered.content.decode()
        if "<html" in text and "<kbd" in text:
            walk.look(path)
    assert walk.problems == []
    assert walk.num_keys > 40


def test_the_keys_of_a_board_work_before_and_after_it_is_ranked(walk: Walk, project: Project) -> None:
    bread_comparison(project)
    page = walk.page
    page.goto("/p/bread/rank/")
    page.keyboard.press("Enter")
    board_is_ready(page)
    board = page.url
    walk.look(board, board_is_ready)
    walk.look(board, _rank, legend=True)
    assert walk.problems == []


def test_the_keys_of_strengths_and_ratings_work_on_their_board(walk: Walk, project: Project) -> None:
    Project.objects.update(asks_ratings=True, asks_strengths=True)
    bread_comparison(project)
    page = walk.page
    page.goto("/p/bread/rank/")
    page.keyboard.press("Enter")
    board_is_ready(page)
    walk.look(page.url, _rank_with_strengths)
    walk.look(page.url, _rank_with_strengths, legend=True)
    assert walk.problems == []


def _rank_with_strengths(page: Page) -> None:
    _rank(page)
    page.keyboard.press(">")


def _rank(page: Page) -> None:
    """The second of four tiers has the focus: every key can do something with it."""
    board_is_ready(page)
    for key in ("1", "2", "3", "4", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)


def test_the_keys_of_writing_work_in_the_composer_and_out_of_it(walk: Walk, draft: Dialogue) -> None:
    path = f"/p/bread/write/{draft.pk}/"
    walk.page.goto(path)
    run = wait_for_run(purpose="suggestion")
    stream_words(run, index=0, text="Blue light")
    walk.look(path, _until("[data-stop]"))
    walk.look(path, _until("[data-stop]", "Escape"))
    answer(run, "Blue light scatters most.", "Because of the air.")
    walk.look(path, _until(".candidate .take"))
    walk.look(path, _until(".candidate .take", "Escape"), legend=True)
    walk.look(path, _edit)
    assert walk.problems == []


def test_the_keys_of_a_chat_work_in_the_composer_and_out_of_it(walk: Walk, project: Project, alice: User) -> None:
    chat = make_chat(project=project, author=alice)
    path = f"/p/bread/chat/{chat.pk}/"
    walk.look(path, _until("#composer-text"))
    walk.look(path, _until("#composer-text", "Escape"))
    walk.leave()
    walk.page.goto(path)
    walk.page.locator("#composer-text").fill("And at night?")
    walk.page.keyboard.press("Control+Enter")
    run = wait_for_run(purpose="chat")
    walk.look(path, _until("[data-stop]"))
    walk.look(path, _until("[data-stop]", "Escape"))
    assert run.dialogue_id == chat.pk
    assert walk.problems == []


def _until(selector: str, *keys: str) -> Callable[[Page], None]:
    def prepare(page: Page) -> None:
        expect(page.locator(selector).first).to_be_visible()
        page.locator("#composer-text").focus()
        for key in keys:
            page.keyboard.press(key)

    return prepare


def _edit(page: Page) -> None:
    page.get_by_role("link", name="Edit this message").first.click()
    expect(page.get_by_label("The message", exact=True)).to_be_focused()
