"""Making a token with the browser, and using it at the same server from a program."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from labeling import exports
from parley import Client, ParleyError
from tests.browser.conftest import NARROW, SCREENSHOTS
from tests.labeling.factories import make_project, make_prompt, make_user


def test_a_token_made_on_the_page_works_until_it_is_revoked(
    open_page: Callable[..., Page], platform_url: str, tmp_path
) -> None:
    project = make_project(slug="first-steps", name="First steps")
    erin = make_user(username="erin", projects=[project])
    make_prompt(project=project)
    page = open_page("/account/", user=erin)
    page.get_by_role("link", name="Tokens").click()
    page.get_by_label("What it is for").fill("nightly export")
    page.get_by_label("Add prompts and dialogues").check()
    page.get_by_label("Only in").select_option("First steps")
    page.get_by_role("button", name="Make the token").click()
    text = page.locator("output.password").inner_text()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "tokens.png", full_page=True)
    narrow = open_page("/account/tokens/", user=erin, viewport=NARROW, colour_scheme="dark")
    narrow.screenshot(path=SCREENSHOTS / "tokens-narrow-dark.png", full_page=True)
    with Client(platform_url, text) as client:
        export = client.build_export("first-steps", "prompts")
        exports.build(export["id"])
        files = client.download_export("first-steps", export["id"], tmp_path)
        assert "prompts.jsonl" in {path.name for path in files}
        page.get_by_role("button", name="Revoke").click()
        page.get_by_text("You have no tokens.").wait_for()
        with pytest.raises(ParleyError) as caught:
            client.me()
        assert caught.value.status == 401
