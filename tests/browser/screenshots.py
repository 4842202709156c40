"""A look at a screen: a picture of it wide and light, and narrow and dark, with no violation of axe in either."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.axe import violations
from tests.browser.conftest import NARROW


def look_at(page: Page, name: str, keep_screenshot: Callable[[Page, str], Path], *, at: str = "h1") -> None:
    """Pictures `name`-wide and `name`-narrow-dark, with `at` in the middle. The page is left wide and light."""
    _look(page, f"{name}-wide", keep_screenshot, at)
    wide = page.viewport_size
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="dark")
    _look(page, f"{name}-narrow-dark", keep_screenshot, at)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(wide)  # type: ignore[arg-type]


def _look(page: Page, name: str, keep_screenshot: Callable[[Page, str], Path], at: str) -> None:
    page.locator(at).first.evaluate("(element) => element.scrollIntoView({block: 'center'})")
    keep_screenshot(page, name)
    found = violations(page)
    assert not found, found  # pytest explains only what stands in a test
