"""A question about bread with four answers, and the first acts on its board, for tests of ranking in a browser."""

from playwright.sync_api import Page, expect

from labeling.models import Comparison, Project
from tests.labeling.factories import make_comparison

QUESTION = "My sourdough rises nicely but the crumb is dense. What am I doing wrong? I bake at 230 °C for 40 minutes."
ANSWERS = [
    "A dense crumb after a good rise usually means that the dough was **over-proofed**, so it collapsed in the oven. "
    "Try shortening the last rise by a third, and bake when the dough springs back slowly from a fingertip.",
    "There are many reasons:\n\n1. under-developed gluten\n2. too little water\n3. slicing it hot\n\n"
    "Let the loaf cool for two hours before you cut it; cutting earlier makes any crumb gummy.",
    "Sourdough is a wonderful bread with a long history. It has been baked for thousands of years in many countries. "
    "Many people enjoy it. It is a wonderful bread. People enjoy it in many countries and have done so for years.",
    "Is it dense all through, or only at the bottom? If it is the bottom, your oven floor is too cool: preheat a "
    "stone for an hour.\n\n```text\n250 °C, lid on: 20 min\n220 °C, lid off: 20 min\n```",
]


def bread_comparison(project: Project) -> Comparison:
    made = make_comparison(project=project, messages=[{"role": "user", "content": QUESTION}])
    for completion in made.completions.all():
        completion.content = ANSWERS[completion.index]
        completion.save(update_fields=["content"])
    return made


def take_next(page: Page) -> None:
    page.keyboard.press("Enter")
    board_is_ready(page)


def board_is_ready(page: Page) -> None:
    expect(page.locator("html.has-board .completion")).to_have_count(4)
