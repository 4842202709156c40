"""An engineer finds near-duplicates, sees what differs, and decides: on a desk and on a phone."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from labeling.models import Project, Prompt, User
from labeling.prompts import near_duplicates
from language.embedding import load_embedder
from records import EmbedResult
from tests.browser.screenshots import look_at
from tests.labeling.factories import make_prompt

QUESTIONS = (
    "How do I bake a sourdough bread with a crust that stays crisp until the evening?",
    "How do I bake a sourdough loaf with a crust that stays crisp until evening?",
    "What is the capital of France?",
    "what's the capital of france",
    "Write a poem about the sea, in four lines, for a child of six who has never seen it.",
)


def test_pairs_are_found_looked_at_and_decided(
    open_page: Callable[..., Page], project: Project, erin: User, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    prompts = [make_prompt(project=project, content=content, source="questions.jsonl") for content in QUESTIONS]
    vectors = load_embedder().vectors(QUESTIONS).tolist()
    ids = tuple(str(prompt.id) for prompt in prompts)
    near_duplicates.record_vectors(EmbedResult(ids=ids, vectors=tuple(map(tuple, vectors))))

    page = open_page("/p/bread/data/", user=erin)
    expect(page.get_by_text("2 are nearly earlier ones")).to_be_visible()
    page.get_by_role("link", name="Near-duplicates").click()
    pairs = page.get_by_role("listitem", name="Pair")
    expect(pairs).to_have_count(2)
    expect(pairs.filter(has_text="sourdough").locator("mark").first).to_have_text("bread")
    look_at(page, "near-duplicates", keep_screenshot)

    pairs.filter(has_text="sourdough").get_by_role("button", name="Retire the earlier").click()
    expect(pairs).to_have_count(1)
    expect(page.get_by_role("region", name="Retired lately")).to_contain_text(QUESTIONS[0][:60])
    look_at(page, "near-duplicates-retired", keep_screenshot)
    pairs.get_by_role("button", name="Keep both").click()
    expect(page.get_by_text("No two prompts are nearly the same")).to_be_visible()
    page.get_by_role("button", name="Bring back").click()
    expect(pairs).to_have_count(1)
    page.get_by_label("Similarity at least").fill("0.9")
    page.get_by_role("button", name="Retire them").click()
    expect(page.get_by_text("1 prompt was retired.")).to_be_visible()
    assert set(Prompt.objects.in_use().filter(project=project)) == {prompts[0], *prompts[2:]}
