"""Twenty tabs of a day's work are killed at moments drawn by lot; nothing older than two seconds is missing after it.

The moments and the words are drawn from a seed, which a failure names: PARLEY_TEST_SEED repeats a day.
"""

import os
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Error, Locator, Page, Route, expect

from labeling.models import Dialogue, Project, User
from tests.browser.ranking_page import board_is_ready, bread_comparison
from tests.labeling.factories import make_chat, make_dialogue, make_project, make_user

OpenPage = Callable[..., Page]

SEED = int(os.environ.get("PARLEY_TEST_SEED", "15"))
NUM_KILLED = 12
SAFE_AFTER = 2.0  # seconds that words may be younger to be lost
LONGEST_LIFE = 5.0  # seconds
TURNS = [("user", "Why is the sky blue?", "typed"), ("assistant", "Light scatters.", "typed")]


@dataclass(kw_only=True)
class Work:
    """A text that somebody writes in a tab of its own, word by word, until the tab is killed."""

    name: str
    page: Page
    path: str
    find: Callable[[Page], Locator]  # the text area, opened if need be
    written: list[tuple[float, str]] = field(default_factory=list)
    killed_at: float = 0.0

    def open(self) -> None:
        self.page.goto(self.path)
        self.page.wait_for_load_state()
        expect(self.find(self.page)).to_be_editable()

    def write(self, word: str) -> None:
        text = self.find(self.page)
        text.focus()
        text.press("Control+End")
        self.page.keyboard.insert_text(f" {word}")
        self.written.append((time.monotonic(), word))

    def kill(self) -> None:
        """End the process that draws the tab, which gets no chance to say or save anything."""
        self.killed_at = time.monotonic()
        context = self.page.context
        with self.page.expect_event("crash"), suppress(Error):
            self.page.goto("chrome://crash", wait_until="commit", timeout=10_000)
        self.page.close()
        self.page = context.new_page()

    def missing(self) -> list[str]:
        """Words that were old enough when the tab was killed, and are gone in the next one."""
        self.open()
        found = self.find(self.page).input_value().split()
        return [
            f"{self.name}: {word}"
            for at, word in self.written
            if at < self.killed_at - SAFE_AFTER and word not in found
        ]


@pytest.fixture
def project() -> Project:
    return make_project(slug="bread", asks_ratings=True)


@pytest.fixture
def day(open_page: OpenPage, project: Project, alice: User) -> list[Work]:
    people = {
        name: make_user(username=name, role=role, projects=[project])
        for name, role in (("bob", "trainer"), ("carol", "trainer"), ("rita", "reviewer"), ("adam", "admin"))
    } | {"alice": alice}
    draft = make_dialogue(project=project, author=alice, turns=TURNS)
    other = make_dialogue(project=project, author=alice, turns=TURNS)
    chat = make_chat(project=project, author=alice)
    submitted = make_dialogue(project=project, author=alice, turns=TURNS, state=Dialogue.State.SUBMITTED)
    bread_comparison(project)
    bread_comparison(project)

    def work(name: str, path: str, find: Callable[[Page], Locator], *, by: str = "alice") -> Work:
        return Work(name=name, path=path, find=find, page=open_page(path, user=people[by]))

    ranking = work("note on a ranking", "/p/bread/rank/", lambda page: page.locator("#note-on-ranking"), by="bob")
    better = work("better answer", "/p/bread/rank/", _better, by="carol")
    for one in (ranking, better):
        one.page.keyboard.press("Enter")
        board_is_ready(one.page)
        one.path = one.page.url
    return [
        work("dialogue", f"/p/bread/write/{draft.pk}/", lambda page: page.locator("#composer-text")),
        work("edit of a message", f"/p/bread/write/{other.pk}/", _edit),
        work("chat", f"/p/bread/chat/{chat.pk}/", lambda page: page.locator("#composer-text")),
        ranking,
        better,
        work("guidelines", "/p/bread/settings/guidelines/", lambda page: page.locator("#id_text"), by="adam"),
        work("review comment", f"/p/bread/review/{submitted.pk}/", _comment, by="rita"),
    ]


def _edit(page: Page) -> Locator:
    text = page.locator(".edit-form textarea")
    if text.count() == 0:
        page.get_by_role("link", name="Edit this message").last.click()
        expect(text).to_be_focused()
    return text


def _better(page: Page) -> Locator:
    page.locator(".better-new .better").evaluate("(box) => { box.open = true; }")
    return page.locator("#better-new")


def _comment(page: Page) -> Locator:
    page.locator("#return-box").evaluate("(box) => { box.open = true; }")
    return page.locator("#return-box textarea")


def test_a_save_whose_answer_never_came_makes_no_conflict(open_page: OpenPage, alice: User, project: Project) -> None:
    """The server has the first words, and a version that the killed tab never learned of."""
    chat = make_chat(project=project, author=alice)
    path = f"/p/bread/chat/{chat.pk}/"
    one = Work(
        name="chat", path=path, find=lambda page: page.locator("#composer-text"), page=open_page(path, user=alice)
    )
    arrived: list[int] = []

    def keep_the_answer(route: Route) -> None:
        arrived.append(route.fetch().status)

    one.page.route("**/composer/", keep_the_answer)
    one.write("first")
    expect(one.page.locator("#save-state")).to_have_attribute("data-state", "saving")
    while not arrived:
        one.page.wait_for_timeout(50)
    one.write("second")
    one.kill()
    one.open()
    expect(one.page.locator("#conflict")).to_be_hidden()
    expect(one.page.locator("#composer-text")).to_have_value(" first second")
    assert arrived == [200]


@pytest.mark.timeout(200)
def test_nothing_older_than_two_seconds_is_lost_when_tabs_are_killed(day: list[Work]) -> None:
    lot = random.Random(SEED)
    ranking = next(one for one in day if one.name == "note on a ranking")
    _rank_and_rate(ranking.page)
    lost: list[str] = []
    num_killed = num_kept = 0
    while num_killed < NUM_KILLED:
        at_work = lot.sample(day, k=min(len(day), NUM_KILLED - num_killed))
        _work_until_killed(at_work, lot)
        for one in at_work:
            lost += one.missing()
            num_kept += sum(at < one.killed_at - SAFE_AFTER for at, _word in one.written)
        num_killed += len(at_work)
    assert lost == [], f"PARLEY_TEST_SEED={SEED}"
    assert num_kept > NUM_KILLED
    board_is_ready(ranking.page)
    expect(ranking.page.locator(".overview .is-placed")).to_have_count(2)
    expect(ranking.page.locator("input[name^='overall:']:checked")).to_have_count(1)


def _rank_and_rate(page: Page) -> None:
    for key in ("2", "1"):
        page.keyboard.press(key)
    page.locator(".completion details.rating").first.evaluate("(box) => { box.open = true; }")
    page.locator(".completion .rating input[name^='overall:'] + span").first.click()
    expect(page.locator("input[name^='overall:']:checked")).to_have_count(1)


def _work_until_killed(at_work: list[Work], lot: random.Random) -> None:
    for one in at_work:
        one.open()
    began = time.monotonic()
    ends = {one.name: began + lot.uniform(SAFE_AFTER + 1, LONGEST_LIFE) for one in at_work}
    alive = list(at_work)
    while alive:
        for one in [one for one in alive if time.monotonic() > ends[one.name]]:
            one.kill()
            alive.remove(one)
        if alive:
            lot.choice(alive).write(f"w{lot.randrange(10**6)}")
