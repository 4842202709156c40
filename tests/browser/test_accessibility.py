"""Axe finds no violation on any page of writing, chatting, reviewing and setting up: light and dark, desk and phone."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Dialogue, Project, SamplingRun, User
from tests.answering import send_result
from tests.browser.axe import violations
from tests.browser.conftest import NARROW
from tests.labeling.factories import make_dialogue, make_project, make_prompt, make_run, make_user

OpenPage = Callable[..., Page]

TURNS = [("user", "Why is the sky blue?", "typed"), ("assistant", "**Light** scatters.", "taken")]
MOST_BYTES = 150_000  # before images

VISITOR_PAGES = ("/sign-in/",)
TRAINER_PAGES = (
    "/",
    "/account/",
    "/history/",
    "/p/sky/",
    "/p/sky/guidelines/",
    "/p/sky/write/",
    "/p/sky/write/{draft}/",
    "/p/sky/write/{submitted}/",
    "/p/sky/chat/",
    "/p/sky/chat/{chat}/",
)
REVIEWER_PAGES = (
    "/p/sky/review/",
    "/p/sky/review/all/",
    "/p/sky/review/{submitted}/",
    "/p/sky/quality/notes/",
    "/p/sky/quality/comments/",
)
ADMIN_PAGES = (
    "/people/",
    "/new-project/",
    "/p/sky/settings/",
    "/p/sky/settings/guidelines/",
    "/p/sky/settings/people/",
)
PAGES = [
    *((None, path) for path in VISITOR_PAGES),
    *(("alice", path) for path in TRAINER_PAGES),
    *(("rita", path) for path in REVIEWER_PAGES),
    *(("adam", path) for path in ADMIN_PAGES),
]


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", num_suggestions=2, description="Questions of children, answered well.")


@pytest.fixture
def people(project: Project) -> dict[str | None, User | None]:
    return {
        None: None,
        "alice": make_user(username="alice", projects=[project]),
        "rita": make_user(username="rita", role=User.Role.REVIEWER, projects=[project]),
        "adam": make_user(username="adam", role=User.Role.ADMIN),
    }


@pytest.fixture
def dialogues(project: Project, people: dict[str | None, User | None]) -> dict[str, str]:
    """One of each kind, with suggestions and answers to choose from."""
    alice = people["alice"]
    make_prompt(project=project, topic="nature")
    draft = make_dialogue(project=project, author=alice, turns=[*TURNS, ("user", "And at sunset?", "typed")])
    submitted = make_dialogue(project=project, author=alice, turns=TURNS, state=Dialogue.State.SUBMITTED)
    chat = make_dialogue(project=project, author=alice, turns=TURNS[:1], kind=Dialogue.Kind.CHAT)
    for dialogue, purpose in ((draft, "suggestion"), (chat, "chat")):
        plain = [{"role": message.role, "content": message.content} for message in dialogue.messages.all()]
        run = make_run(
            project=project,
            purpose=purpose,
            dialogue=dialogue,
            messages=plain,
            position=len(plain),
            num_completions=2,
            requested_by=alice,
            state=SamplingRun.State.SENT,
            attempt=1,
        )
        send_result(run, "Red light goes on.", "Because it is evening.")
    return {"draft": str(draft.pk), "submitted": str(submitted.pk), "chat": str(chat.pk)}


@pytest.mark.parametrize(("name", "path"), PAGES, ids=[path for _name, path in PAGES])
def test_a_page_is_accessible_narrow_and_light(
    open_page: OpenPage,
    people: dict[str | None, User | None],
    dialogues: dict[str, str],
    name: str | None,
    path: str,
) -> None:
    page = open_page(path.format(**dialogues), user=people[name])
    expect(page.locator("header.bar, .door").first).to_be_visible()  # not a page that says what went wrong
    assert 1_000 < _num_bytes(page) < MOST_BYTES
    assert violations(page) == []
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="dark")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def test_axe_would_find_a_violation(open_page: OpenPage) -> None:
    page = open_page("/sign-in/")
    page.evaluate("document.querySelector('label[for=id_password]').remove()")
    assert [line.split(":")[0] for line in violations(page)] == ["label"]


def _num_bytes(page: Page) -> int:
    """What the page and all it loads weigh on the wire, images apart."""
    entries = page.evaluate(
        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".filter((entry) => !entry.name.endsWith('.svg')).map((entry) => entry.encodedBodySize)"
    )
    return sum(entries)
