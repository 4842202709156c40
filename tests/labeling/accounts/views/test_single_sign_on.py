"""Single sign-on, end to end with a real provider: who comes in, as whom, in which role, and out again."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from django.urls import reverse

from labeling.accounts import links
from labeling.accounts.single_sign_on import SignOnRefused, read_claims
from labeling.models import AccountLink, AuditEvent, User
from tests.labeling.accounts.oidc_provider import PASSWORD, interpreter, providing
from tests.labeling.factories import make_user
from tests.labeling.signed_in import as_user, page_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_passwords")]

PEOPLE = {
    "grace": "grace@example.org",
    "edsger": "edsger@example.org",
    "oscar": "oscar@elsewhere.example",
}
HERE = "http://testserver"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    python = interpreter()
    if python is None:
        pytest.skip("no provider: pip cannot install tests/labeling/accounts/oidc_provider.txt")
    with providing(
        python,
        people=PEOPLE,
        groups={"people ops": ["grace"], "modelling": ["grace", "edsger"]},
        client_id="parley",
        client_secret="a secret that both know",
        redirect_uris=[f"{HERE}/sign-in/oidc/callback/"],
        post_logout_redirect_uris=[f"{HERE}/sign-in/"],
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def _joined(settings: Any, issuer: str) -> None:
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID = issuer, "parley"
    settings.OIDC_CLIENT_SECRET, settings.OIDC_NAME = "a secret that both know", "Example"
    settings.OIDC_SCOPE = ["openid", "profile", "email", "groups"]
    settings.OIDC_NEW_PEOPLE = "anyone"
    settings.OIDC_TRUSTS_EMAIL = True  # this provider does not say `email_verified`, as many of companies do not


class Traveller:
    """Somebody with a browser at Parley and the same at the provider."""

    def __init__(self, name: str, *, browser: Client | None = None) -> None:
        self.name, self.browser, self.there = name, browser or Client(), requests.Session()

    def sign_in(self, *, start: str | None = None) -> Any:
        """Parley's answer to the way back."""
        way = self.browser.get(start or reverse("to_provider"))
        assert way.status_code == 302
        return self.browser.get(self.travel(way["Location"]))

    def travel(self, url: str) -> str:
        """Through the provider's pages, giving name and password where asked; the address it sends back to."""
        for _ in range(10):
            answer = self.there.get(url, allow_redirects=False, timeout=20)
            if answer.status_code == 200:
                said = {"login": self.name} if "/login" in url else {"password": PASSWORD}
                answer = self.there.post(url, data=said, allow_redirects=False, timeout=20)
            url = urljoin(url, answer.headers["Location"])
            if url.startswith(HERE):
                return url.removeprefix(HERE)
        raise AssertionError(f"no way back from {url}")


def invite(email: str, **fields: Any) -> User:
    user = make_user(**fields)
    links.make_link(user, purpose=AccountLink.Purpose.INVITATION, by=None, email=email)
    return user


def test_somebody_new_comes_in_as_a_trainer_in_no_project_and_comes_back_as_the_same() -> None:
    grace = Traveller("grace")
    assert grace.sign_in(start=f"{reverse('to_provider')}?next=/account/")["Location"] == "/account/"
    made = User.objects.get()
    assert (made.username, made.role, made.display_name) == ("grace", "trainer", "Grace")
    assert (made.proven_email, made.has_usable_password(), made.projects.count()) == ("grace@example.org", False, 0)
    assert "Joined to Example" in page_of(grace.browser, reverse("account"))
    assert Traveller("grace").sign_in().status_code == 302
    assert User.objects.count() == 1
    assert [event.detail["method"] for event in AuditEvent.objects.filter(verb="sign in")] == ["provider"] * 2


def test_by_default_nobody_comes_in_who_was_not_invited(settings: Any) -> None:
    settings.OIDC_NEW_PEOPLE = "invited"
    answer = Traveller("grace").sign_in()
    assert answer.status_code == 403
    assert "Ask an admin for an invitation" in answer.content.decode()
    invited = invite("Grace@Example.org", username="g.hopper", role=User.Role.REVIEWER)
    grace = Traveller("grace")
    assert grace.sign_in().status_code == 302
    assert grace.browser.session["_auth_user_id"] == str(invited.pk)
    invited.refresh_from_db()
    assert (invited.role, invited.proven_email) == ("reviewer", "Grace@Example.org")
    assert links.invitation_of("grace@example.org") is None, "an invitation lets in once"


def test_an_address_that_is_not_verified_takes_no_invitation(settings: Any) -> None:
    settings.OIDC_NEW_PEOPLE = "invited"
    settings.OIDC_TRUSTS_EMAIL = False
    invite("grace@example.org", username="victim")
    assert Traveller("grace").sign_in().status_code == 403
    settings.OIDC_TRUSTS_EMAIL = True
    assert Traveller("grace").sign_in().status_code == 302


@pytest.mark.parametrize(
    ("said", "email"),
    [({"email_verified": True}, "grace@example.org"), ({"email_verified": "true"}, "grace@example.org")]
    + [({"email_verified": wrong}, "") for wrong in (False, "false", None, "yes")]
    + [({}, ""), ({"email_verified": True, "email": "no address"}, "")],
)
def test_an_address_counts_only_where_the_provider_says_that_it_is_verified(
    settings: Any, said: dict[str, Any], email: str
) -> None:
    settings.OIDC_TRUSTS_EMAIL = False
    token = {"sub": "1", "nonce": "asked", "email": "Grace@example.org", **said}
    assert read_claims({"id_token": token}, nonce="asked").email == email


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"userinfo": {"sub": "1", "nonce": "asked"}},
        {"id_token": {"sub": "1", "nonce": "another"}},
        {"id_token": {"sub": "1"}},
        {"id_token": {"sub": "1", "nonce": "asked"}, "userinfo": {"sub": "2"}},
    ],
)
def test_an_answer_to_another_question_or_of_two_people_is_refused(answer: dict[str, Any]) -> None:
    with pytest.raises(SignOnRefused):
        read_claims(answer, nonce="asked")


def test_an_address_that_somebody_gave_themselves_opens_nobodys_account() -> None:
    make_user(username="mallory-here", email="grace@example.org")
    Traveller("grace").sign_in()
    assert SocialAccount.objects.get().user.username == "grace"


def test_other_domains_and_groups_stay_outside(settings: Any) -> None:
    settings.OIDC_DOMAINS = ["example.org"]
    assert Traveller("oscar").sign_in().status_code == 403
    settings.OIDC_TRUSTS_EMAIL = False
    assert Traveller("edsger").sign_in().status_code == 403, "the domain counts only if it is verified"
    settings.OIDC_TRUSTS_EMAIL = True
    assert Traveller("edsger").sign_in().status_code == 302
    settings.OIDC_GROUPS = ["people ops"]
    answer = Traveller("edsger").sign_in()
    assert answer.status_code == 403
    assert "certain groups" in answer.content.decode()
    assert Traveller("grace").sign_in().status_code == 302


def test_groups_give_roles_and_take_them_back(settings: Any) -> None:
    settings.OIDC_ROLES = {"people ops": "admin", "modelling": "engineer"}
    make_user(username="adam")
    Traveller("grace").sign_in()
    Traveller("edsger").sign_in()
    assert dict(User.objects.values_list("username", "role")) | {"adam": ""} == {
        "adam": "",
        "grace": "admin",
        "edsger": "engineer",
    }
    settings.OIDC_ROLES = {"modelling": "engineer"}
    Traveller("grace").sign_in()
    assert User.objects.get(username="grace").role == "engineer"
    assert AuditEvent.objects.filter(verb="change role", by=None).count() == 1


def test_the_provider_does_not_take_the_last_admin_away(settings: Any) -> None:
    settings.OIDC_ROLES = {"people ops": "admin"}
    Traveller("grace").sign_in()
    settings.OIDC_ROLES = {"somebody else": "admin"}
    assert Traveller("grace").sign_in().status_code == 302
    assert User.objects.get(username="grace").role == "admin"
    assert AuditEvent.objects.get(verb="keep role").detail["wanted"] == "trainer"


def test_a_closed_account_stays_closed() -> None:
    Traveller("grace").sign_in()
    User.objects.update(is_active=False)
    answer = Traveller("grace").sign_in()
    assert (answer.status_code, "closed" in answer.content.decode()) == (403, True)


def test_another_issuers_person_of_the_same_name_is_somebody_else() -> None:
    Traveller("grace").sign_in()
    SocialAccount.objects.update(provider="https://another.example")
    Traveller("grace").sign_in()
    assert sorted(User.objects.values_list("username", flat=True)) == ["grace", "grace-2"]


def test_an_account_is_joined_by_who_is_signed_in_and_to_nobody_elses() -> None:
    alice = make_user(username="alice")
    browser = as_user(alice)
    assert browser.get(reverse("join_provider")).status_code == 405
    page = browser.post(reverse("join_provider")).content.decode()
    url = page.partition('<a class="button primary" href="')[2].partition('"')[0].replace("&amp;", "&")
    grace = Traveller("grace", browser=browser)
    assert browser.get(grace.travel(url))["Location"] == reverse("account")
    assert SocialAccount.objects.get().user == alice
    bobs = Traveller("grace", browser=as_user(make_user(username="bob")))
    page = bobs.browser.post(reverse("join_provider")).content.decode()
    url = page.partition('<a class="button primary" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert bobs.browser.get(bobs.travel(url)).status_code == 403


def test_who_they_are_is_confirmed_by_a_fresh_proof_at_the_provider() -> None:
    grace = Traveller("grace")
    grace.sign_in()
    session = grace.browser.session
    session["proven_at"] = 0
    session.save()
    assert (
        reverse("confirm_at_provider")
        in grace.browser.get(grace.browser.get(reverse("tokens"))["Location"]).content.decode()
    )
    start = f"{reverse('confirm_at_provider')}?next={reverse('tokens')}"
    somebody_else = Traveller("edsger", browser=grace.browser)
    assert somebody_else.sign_in(start=start).status_code == 403
    assert grace.sign_in(start=start)["Location"] == reverse("tokens")
    assert grace.browser.get(reverse("tokens")).status_code == 200


def test_a_role_that_needs_a_second_factor_takes_the_providers_only_if_it_is_trusted(settings: Any) -> None:
    settings.REQUIRE_SECOND_FACTOR = ["trainer"]
    grace = Traveller("grace")
    grace.sign_in()
    assert grace.browser.get(reverse("home"))["Location"] == reverse("second_factor")
    settings.OIDC_TRUSTS_SECOND_FACTOR = True
    grace.sign_in()
    assert grace.browser.get(reverse("home")).status_code == 200


def test_signing_out_offers_the_providers_page_too(issuer: str) -> None:
    grace = Traveller("grace")
    grace.sign_in()
    out = grace.browser.post(reverse("sign_out"))["Location"]
    assert grace.browser.get(reverse("account")).status_code == 302
    assert reverse("leave_provider") in page_of(grace.browser, out)
    there = urlsplit(grace.browser.get(reverse("leave_provider"))["Location"])
    assert f"{there.scheme}://{there.netloc}" == issuer
    assert parse_qs(there.query)["post_logout_redirect_uri"] == [f"{HERE}/sign-in/"]
    assert requests.get(there.geturl(), timeout=20).status_code == 200


def test_an_answer_that_nobody_asked_for_is_refused() -> None:
    grace, other = Traveller("grace"), Client()
    back = grace.travel(grace.browser.get(reverse("to_provider"))["Location"])
    assert other.get(back).status_code == 400, "another browser did not ask"
    assert grace.browser.get(back).status_code == 302
    assert grace.browser.get(back).status_code == 400, "once is enough"
    assert Client().get("/sign-in/oidc/callback/?error=access_denied").status_code == 400
    assert Client().get("/sign-in/other/callback/?code=1&state=2").status_code == 404


def test_a_provider_that_does_not_answer_is_said_so(settings: Any) -> None:
    settings.OIDC_ISSUER = "http://localhost:9"
    answer = Client().get(reverse("to_provider"))
    assert (answer.status_code, "did not answer" in answer.content.decode()) == (502, True)


def test_without_a_provider_there_is_no_way_to_it(settings: Any) -> None:
    settings.OIDC_ISSUER = ""
    assert "Example" not in page_of(Client(), reverse("sign_in"))
    for name in ("to_provider", "leave_provider"):
        assert Client().get(reverse(name)).status_code == 404
    assert Client().get("/sign-in/oidc/callback/?code=1&state=2").status_code == 404
