"""Every text area keeps its words through a reload, a lost network and Esc, for the person who wrote them alone."""

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from django import forms
from playwright.sync_api import BrowserContext, Locator, Page, expect

from labeling.challenges import results
from labeling.models import Adjudication, Comparison, Dialogue, GuidelineVersion, Project, Report, User
from labeling.safety import appeals, thumbs
from tests.browser.conftest import _session_of
from tests.browser.ranking_page import board_is_ready
from tests.browser.screenshots import look_at
from tests.labeling.challenges.material import contest_ids, judged_challenge, make_challenge
from tests.labeling.factories import make_chat, make_comparison, make_dialogue, make_project, make_reference, make_user
from tests.labeling.preview.material import make_preview
from tests.labeling.safety.material import chat_of, make_screening

OpenPage = Callable[..., Page]
KeepScreenshot = Callable[[Page, str], Path]

LABELING = Path(__file__).resolve().parents[2] / "labeling"
FIELDS = "textarea:not([readonly]), input[data-keep]"
TURNS = [("user", "Why is the sky blue?", "typed"), ("assistant", "Light scatters.", "typed")]
GUIDELINES = "/p/bread/settings/guidelines/"
KEPT = ".kept-words"


@pytest.fixture
def project() -> Project:
    return make_project(slug="bread", asks_ratings=True, description="Bread.")


@pytest.fixture
def adam(project: Project) -> User:
    return make_user(username="adam", role=User.Role.ADMIN)


@pytest.fixture
def submitted(project: Project, alice: User) -> Dialogue:
    return make_dialogue(project=project, author=alice, turns=TURNS, state=Dialogue.State.SUBMITTED)


@pytest.fixture
def review_page(open_page: OpenPage, submitted: Dialogue, project: Project) -> Page:
    rita = make_user(username="rita", role=User.Role.REVIEWER, projects=[project])
    return open_page(f"/p/bread/review/{submitted.pk}/", user=rita)


def names_in_templates() -> set[str]:
    """The names of text areas that templates write out, without the id that some end in."""
    texts = "".join(path.read_text() for path in LABELING.rglob("templates/**/*.html"))
    return set(re.findall(r'<(?:textarea|input data-keep)\b[^>]*\bname="([a-z_]+)', texts))


def names_in_forms() -> set[str]:
    """The names of text areas that forms make."""
    names = set()
    for path in LABELING.glob("*/*forms.py"):
        module = import_module(f"labeling.{path.parent.name}.{path.stem}")
        for made in vars(module).values():
            if isinstance(made, type) and issubclass(made, forms.BaseForm):
                fields = getattr(made, "base_fields", {}).items()
                names |= {name for name, field in fields if isinstance(field.widget, forms.Textarea)}
    return names


def write_everywhere(page: Page) -> dict[str, str]:
    """Words of its own in each text area of the page."""
    page.wait_for_load_state()
    page.evaluate("for (const box of document.querySelectorAll('details')) box.open = true")
    written = {}
    for field in page.locator(FIELDS).all():
        identifier = field.get_attribute("id") or ""
        written[identifier] = f"My words in {identifier}."
        field.fill(written[identifier])
    return written


def words_of(page: Page) -> dict[str, str]:
    return dict(page.locator(FIELDS).evaluate_all("(fields) => fields.map((field) => [field.id, field.value])"))


def test_every_text_area_of_every_page_keeps_its_words(
    open_page: OpenPage, adam: User, project: Project, submitted: Dialogue, comparison: Comparison
) -> None:
    """A page with a text area that is not walked here fails the last line; one without a keeper the line before."""
    draft = make_dialogue(project=project, author=adam, turns=TURNS[:1])
    chat = make_dialogue(project=project, author=adam, turns=TURNS, kind=Dialogue.Kind.CHAT)
    reference = make_reference(project=project)
    settling = Adjudication.objects.create(comparison=make_comparison(project=project), reviewer=adam, state="ordered")
    blocked, theirs = (make_screening(project=project, person=person) for person in (adam, make_user()))
    answered = make_chat(project=project, author=adam)
    thumbs.give(answered.messages.get(position=1), by=adam, up=False)
    appealed = appeals.appeal(theirs, User.objects.get(id=chat_of(theirs).author_id), "")
    page = open_page("/p/bread/rank/", user=adam)
    page.keyboard.press("Enter")
    board_is_ready(page)
    walked = [
        page.url,
        f"/p/bread/write/{draft.pk}/",
        f"/p/bread/write/{draft.pk}/take-out/",
        f"/p/bread/write/{draft.pk}/messages/{draft.messages.get().pk}/",
        f"/p/bread/chat/{chat.pk}/",
        f"/p/bread/review/{submitted.pk}/",
        f"/p/bread/quality/references/{reference.comparison_id}/",
        f"/p/bread/quality/adjudications/{settling.id}/",
        f"/p/bread/screenings/{blocked.id}/appeal/",
        f"/p/bread/appeals/{appealed.id}/",
        f"/p/bread/chat/{answered.id}/",
        GUIDELINES,
        "/p/bread/settings/",
        "/new-project/",
        *contest_pages(project, adam),
        "/p/bread/settings/preview/",
        "/p/bread/settings/preview/samples/",
    ]
    make_preview(project=project)
    lost, names = [], set()
    for path in walked:
        page.goto(path)
        written = write_everywhere(page)
        names |= {
            re.split(":", name)[0] for name in page.locator(FIELDS).evaluate_all("(all) => all.map((f) => f.name)")
        }
        page.reload()
        page.wait_for_load_state()
        found = words_of(page)
        lost += [f"{path}: {key}" for key in written if found.get(key) != written[key]] or [path] * (not written)
    assert lost == []
    assert names | {"objection"} == names_in_templates() | names_in_forms(), "who may object is no admin"


def contest_pages(project: Project, adam: User) -> list[str]:
    """A juror's page, which is Adam's here, and those of who runs a contest."""
    ids = contest_ids(project, by=adam)
    admin = f"/p/bread/challenges/{ids['challenge_id']}/"
    authors = [make_user(username=f"author{number}") for number in range(2)]
    judged = judged_challenge(project=project, authors=authors, admin=adam, slug="judged")
    results.publish(judged, words="W", reasons={one.entry: "R" for one in results.standing(judged)}, by=adam)
    return [
        f"/challenges/{ids['challenge_slug']}/jury/{ids['judged_id']}/",
        "/p/bread/challenges/",
        admin,
        f"{admin}entries/{ids['judged_id']}/",
        f"/p/bread/challenges/{judged.pk}/results/",
    ]


def test_an_objection_and_an_entry_keep_their_words(open_page: OpenPage, adam: User, project: Project) -> None:
    authors = [make_user(username="vera"), make_user()]
    judged = judged_challenge(project=project, authors=authors, admin=adam)
    results.publish(judged, words="W", reasons={one.entry: "R" for one in results.standing(judged)}, by=adam)
    make_challenge(project=project, slug="open")
    page = open_page("/challenges/ours/", user=authors[0])
    for path in ("/challenges/ours/", "/challenges/open/enter/"):
        page.goto(path)
        written = write_everywhere(page)
        page.reload()
        page.wait_for_load_state()
        assert {key: words_of(page)[key] for key in written} == written != {}


def test_guidelines_being_written_survive_leaving_the_page(
    open_page: OpenPage, adam: User, project: Project, keep_screenshot: KeepScreenshot
) -> None:
    page = open_page(GUIDELINES, user=adam)
    saved = guidelines_of(page).input_value()
    guidelines_of(page).fill("Answer *kindly*.")
    page.goto("/p/bread/settings/people/")
    page.goto(GUIDELINES)
    expect(guidelines_of(page)).to_have_value("Answer *kindly*.")
    expect(page.locator("#preview em")).to_have_text("kindly")
    expect(page.locator(KEPT)).to_contain_text("These are your words from before. They are not saved yet.")
    look_at(page, "words-back", keep_screenshot, at=KEPT)
    page.get_by_role("button", name="Put them aside").click()
    expect(guidelines_of(page)).to_have_value(saved)
    look_at(page, "words-aside", keep_screenshot, at=KEPT)
    page.get_by_role("button", name="Bring them back").click()
    expect(guidelines_of(page)).to_have_value("Answer *kindly*.")
    page.keyboard.press("Control+z")
    expect(guidelines_of(page)).to_have_value(saved)
    page.reload()
    expect(guidelines_of(page)).to_have_value(saved)
    expect(page.locator(KEPT)).to_have_count(0)


def test_what_the_server_has_is_kept_no_longer(open_page: OpenPage, adam: User, project: Project) -> None:
    page = open_page(GUIDELINES, user=adam)
    guidelines_of(page).fill("Answer kindly.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("is in force")).to_be_visible()
    expect(guidelines_of(page)).to_have_value("Answer kindly.")
    assert kept_in(page) == []
    page.goto("/new-project/")
    page.locator("#id_name").fill("Cakes")
    page.locator("#id_guidelines").fill("Bake.")
    page.locator("#id_description").fill("  Cakes, made well. ")
    assert len(kept_in(page)) == 2
    page.keyboard.press("Control+Enter")
    expect(page.locator("h1")).not_to_have_text("New project")
    assert kept_in(page) == []


def test_a_refused_form_keeps_its_words(open_page: OpenPage, adam: User, project: Project) -> None:
    page = open_page("/new-project/", user=adam)
    page.locator("#id_guidelines").fill("Bake.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".errorlist").first).to_be_visible()
    expect(page.locator("#id_guidelines")).to_have_value("Bake.")
    page.goto("/")
    page.goto("/new-project/")
    expect(page.locator("#id_guidelines")).to_have_value("Bake.")


def test_words_sent_into_a_dead_network_or_signed_out_come_back(
    open_page: OpenPage, adam: User, project: Project
) -> None:
    page = open_page(GUIDELINES, user=adam)
    guidelines_of(page).fill("Answer kindly.")
    page.context.set_offline(True)
    page.keyboard.press("Control+Enter")
    expect(guidelines_of(page)).to_have_count(0)
    page.context.set_offline(False)
    page.goto(GUIDELINES)
    expect(guidelines_of(page)).to_have_value("Answer kindly.")
    cookies = page.context.cookies()
    page.context.clear_cookies(name="sessionid")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#id_password")).to_be_visible()
    page.context.add_cookies(cookies)  # type: ignore[arg-type]
    page.goto("/")
    page.goto(GUIDELINES)
    expect(guidelines_of(page)).to_have_value("Answer kindly.")
    assert not GuidelineVersion.objects.filter(text="Answer kindly.").exists()


def test_words_whose_saved_text_changed_since_say_so(open_page: OpenPage, adam: User, project: Project) -> None:
    page = open_page(GUIDELINES, user=adam)
    guidelines_of(page).fill("Answer kindly.")
    GuidelineVersion.objects.create(project=project, version=99, text="From elsewhere.")
    page.reload()
    expect(guidelines_of(page)).to_have_value("Answer kindly.")
    expect(page.locator(KEPT)).to_contain_text("the saved text was changed since")
    page.get_by_role("button", name="Put them aside").click()
    expect(guidelines_of(page)).to_have_value("From elsewhere.")


def test_another_person_at_the_same_browser_sees_none_of_the_words(
    open_page: OpenPage, adam: User, project: Project
) -> None:
    page = open_page(GUIDELINES, user=adam)
    saved = guidelines_of(page).input_value()
    guidelines_of(page).fill("Adam's own words.")
    sign_in_as(page.context, make_user(username="eve", role=User.Role.ADMIN), url=page.url)
    page.reload()
    expect(page.locator("header.bar")).to_contain_text("Eve")
    expect(guidelines_of(page)).to_have_value(saved)
    sign_in_as(page.context, adam, url=page.url)
    page.reload()
    expect(guidelines_of(page)).to_have_value("Adam's own words.")


def test_a_review_comment_survives_esc_and_a_reload(review_page: Page, keep_screenshot: KeepScreenshot) -> None:
    review_page.keyboard.press("r")
    comment = review_page.get_by_label("What should change?")
    expect(comment).to_be_focused()
    comment.fill("Say why. ")
    compose(review_page, "きいろ")
    comment.press("Escape")
    expect(comment).to_have_value("Say why. きいろ")
    review_page.reload()
    expect(comment).to_have_value("Say why. きいろ")
    expect(comment).to_be_visible()
    expect(comment).not_to_be_focused()
    look_at(review_page, "comment-back", keep_screenshot, at=KEPT)
    comment.focus()
    review_page.keyboard.press("Control+Enter")
    expect(review_page.get_by_text("Returned to its author.")).to_be_visible()
    assert kept_in(review_page) == []


def test_words_in_composition_are_kept_before_it_ends(review_page: Page) -> None:
    review_page.keyboard.press("r")
    comment = review_page.get_by_label("What should change?")
    expect(comment).to_be_focused()
    compose(review_page, "きいろ")
    address = review_page.url
    review_page.goto("/")
    review_page.goto(address)
    expect(comment).to_have_value("きいろ")


def test_a_report_is_kept_until_it_is_sent(
    open_page: OpenPage, alice: User, comparison: Comparison, keep_screenshot: KeepScreenshot
) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    page.keyboard.press("Enter")
    board_is_ready(page)
    page.evaluate("for (const box of document.querySelectorAll('.completion details')) box.open = true")
    page.locator("#report-note-A").fill("It insults me.")
    page.locator("#report-note-B").fill("So does this.")
    page.reload()
    board_is_ready(page)
    expect(page.locator("#report-note-A")).to_have_value("It insults me.")
    look_at(page, "report-back", keep_screenshot, at=KEPT)
    page.locator("#report-A").get_by_role("button", name="Send report").click()
    expect(page.get_by_text("Reported. Thank you")).to_be_visible()
    assert Report.objects.get().note == "It insults me."
    assert [text for text in kept_in(page) if "insults" in text or "So does" in text] == ["So does this."]


def test_an_explanation_is_kept_until_its_board_is_stored(
    open_page: OpenPage, adam: User, comparison: Comparison
) -> None:
    page = open_page(f"/p/bread/quality/references/{comparison.pk}/new/", user=adam)
    board_is_ready(page)
    page.get_by_label("Why this order is right").fill("The first names one cause.")
    page.reload()
    board_is_ready(page)
    expect(page.get_by_label("Why this order is right")).to_have_value("The first names one cause.")
    page.get_by_label("Gold").check()
    page.locator(".completion").first.focus()
    for key in ("1", "2", "3", "4", "Control+Enter"):
        page.keyboard.press(key)
    expect(page).to_have_url(re.compile("/quality/references/$"))
    assert kept_in(page) == []


def guidelines_of(page: Page) -> Locator:
    return page.locator("#id_text")


def kept_in(page: Page) -> list[str]:
    """The words that this browser keeps."""
    return page.evaluate(
        "Object.keys(localStorage).filter((key) => key.startsWith('parley:words:'))"
        ".map((key) => JSON.parse(localStorage[key]).text)"
    )


def compose(page: Page, text: str) -> None:
    """An input method's conversion that has not ended."""
    browser = page.context.new_cdp_session(page)
    browser.send("Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)})


def sign_in_as(context: BrowserContext, user: User, *, url: str) -> None:
    context.clear_cookies()
    context.add_cookies([{"name": "sessionid", "value": _session_of(user), "url": url}])
