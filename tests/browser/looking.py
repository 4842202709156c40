"""A look at a screen: a picture of it wide and light, and narrow and dark, with no violation of axe in either."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.axe import violations
from tests.browser.conftest import NARROW


def look_at(page: Page, name: str, keep_screenshot: Callable[[Page, str], Path]) -> None:
    """Pictures `name`-wide and `name`-narrow-dark. The page is left wide and light."""
    keep_screenshot(page, f"{name}-wide")
    assert violations(page) == []
    wide = page.viewport_size
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="dark")
    keep_screenshot(page, f"{name}-narrow-dark")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(wide)  # type: ignore[arg-type]
