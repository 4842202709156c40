"""What django-allauth asks us: how secrets are kept, which provider there is, and what happens to who comes from it.

None of allauth's own pages is mounted. Whatever it would show or decide ends here, in our pages and rules.
"""

import base64
from typing import Any, NoReturn

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

PROVIDER = "oidc"  # in the address that the provider sends people back to


class AccountAdapter(DefaultAccountAdapter):
    """Nobody signs up by themselves, and nothing is mailed by allauth."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def send_mail(self, *_: Any, **__: Any) -> None:
        """Our own words are sent by labeling.accounts.links."""


class SecondFactorAdapter(DefaultMFAAdapter):
    """Secrets of second factors are encrypted by a key that is not in the database."""

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _cipher().decrypt(encrypted_text.encode()).decode()

    def get_totp_issuer(self) -> str:
        return "Parley"

    def _get_user_identifier(self, user: Any) -> str:
        return str(user.username)


class SignOnAdapter(DefaultSocialAccountAdapter):
    """The one provider of the settings, and our rules for who comes from it."""

    def list_apps(self, request: HttpRequest, provider: str | None = None, client_id: str | None = None) -> list[Any]:
        from allauth.socialaccount.models import SocialApp

        if not settings.OIDC_ISSUER or provider not in (None, PROVIDER, "openid_connect"):
            return []
        app = SocialApp(
            provider="openid_connect",
            provider_id=PROVIDER,
            name=settings.OIDC_NAME,
            client_id=settings.OIDC_CLIENT_ID,
            secret=settings.OIDC_CLIENT_SECRET,
            settings={"server_url": settings.OIDC_ISSUER, "oauth_pkce_enabled": True, "scope": settings.OIDC_SCOPE},
        )
        return [app] if client_id in (None, app.client_id) else []

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> NoReturn:
        """The provider has said who it is; everything from here on is ours."""
        from labeling.accounts.views.single_sign_on import came_back

        raise ImmediateHttpResponse(came_back(request, sociallogin))

    def on_authentication_error(self, request: HttpRequest, provider: Any, **what: Any) -> NoReturn:
        from labeling.accounts.views.single_sign_on import failed

        raise ImmediateHttpResponse(failed(request, exception=what.get("exception"), error=what.get("error")))

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False


def _cipher() -> MultiFernet:
    """Encrypts with the secret key; decrypts with it and those before it (PARLEY_OLD_SECRET_KEYS)."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    digests = (salted_hmac("parley: second factors", "", secret=key, algorithm="sha256").digest() for key in keys)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])
