"""Signing in with a browser: a passkey made by a software authenticator, and then nothing but the passkey."""

import os
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from labeling.accounts import second_factor
from labeling.models import AuditEvent
from tests.browser.axe import violations
from tests.browser.conftest import DESKTOP, PHONE, SCREENSHOTS
from tests.labeling.factories import PASSWORD, make_user

OpenPage = Callable[..., Page]
# Without a person, since it would be kept in the browser of the tests.
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def with_authenticator(page: Page) -> None:
    """Chromium's own authenticator in software, in place of a finger on a sensor."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})


def test_a_passkey_that_was_made_lets_in_by_itself_and_confirms(open_page: OpenPage, platform_url: str) -> None:
    # Browsers know passkeys on localhost, and not on an address in digits.
    here = platform_url.replace("127.0.0.1", "localhost")
    adam = make_user(username="adam", password=PASSWORD)
    page = open_page(f"{here}/sign-in/?next=/account/second-factor/")
    with_authenticator(page)
    page.get_by_label("Name").fill("adam")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in ⏎").click()
    page.get_by_label("Name of the passkey").fill("this laptop")
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_text("Your recovery codes, shown only now")).to_be_visible()
    assert [str(factor) for factor in second_factor.factors_of(adam)] == ["this laptop"]

    page.locator(".bar summary").last.click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page).to_have_url(f"{here}/")
    signed_in = [event.detail for event in AuditEvent.objects.filter(verb="sign in").order_by("id")]
    assert signed_in == [
        {"method": "password", "second_factor": ""},
        {"method": "passkey", "second_factor": "passkey"},
    ]

    page.goto(f"{here}/account/confirm/?next=/people/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="People", exact=True)).to_be_visible()


def test_the_pages_of_signing_in_hold_on_desk_and_phone_light_and_dark(
    open_page: OpenPage, platform_url: str, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    adam = make_user(username="adam", password=PASSWORD)
    paths = {
        "sign-in": "/sign-in/",
        "account": "/account/",
        "sessions": "/account/sessions/",
        "second-factor": "/account/second-factor/",
        "set-up-app": "/account/second-factor/app/",
        "confirm": "/account/confirm/",
        "people": "/people/",
        "person": f"/people/{adam.pk}/",
        "audit": "/audit/",
    }
    looks = [(DESKTOP, "light"), (PHONE, "dark")]
    if "PARLEY_SCREENSHOTS" in os.environ:
        looks += [(DESKTOP, "dark"), (PHONE, "light")]
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for viewport, colours in looks:
        page = open_page("/", user=adam, viewport=viewport, colour_scheme=colours)
        for name, path in paths.items():
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, viewport)
            assert not violations(page), (name, viewport, colours)
            page.screenshot(path=SCREENSHOTS / f"{name}-{viewport['width']}-{colours}.png", full_page=True)
