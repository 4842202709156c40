"""What axe-core finds wrong with a page."""

from importlib.resources import files

from playwright.sync_api import Page

_AXE = (files("axe_core_python") / "axe.min.js").read_text()


def violations(page: Page) -> list[str]:
    """Each as its rule and the element that breaks it; none is as it should be."""
    # The pages' policy forbids scripts of others, so axe comes through the debugging door and not as a script tag.
    page.evaluate(_AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]
