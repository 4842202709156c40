"""System checks for settings that contradict each other or are unsafe, each with an id and a hint."""

import ipaddress
import os
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register


@register(Tags.security, deploy=True)
def check_production(**_: Any) -> list[CheckMessage]:
    """Settings that are right for development and wrong for a server with other people's work."""
    found: list[CheckMessage] = []
    if not settings.PRODUCTION:
        found.append(
            Warning(
                "PARLEY_ENV is development: secrets and servers are made up where none are given.",
                hint="Set PARLEY_ENV=production.",
                id="parley.W001",
            )
        )
    if settings.HTTPS and "*" in settings.ALLOWED_HOSTS:
        found.append(
            Warning(
                "PARLEY_ALLOWED_HOSTS lets any host name in.",
                hint="Name the hosts under which the platform is reached.",
                id="parley.W002",
            )
        )
    if settings.BEHIND_PROXY and not settings.FORWARDED_ALLOW_IPS:
        found.append(
            Warning(
                "PARLEY_BEHIND_PROXY is on and FORWARDED_ALLOW_IPS is not set: if the proxy is not believed, everybody"
                " has its address, and is slowed down with whoever guesses there.",
                hint="Set FORWARDED_ALLOW_IPS to the address that the proxy connects from.",
                id="parley.W003",
            )
        )
    if settings.PRODUCTION and settings.CATCHES_MAIL:
        found.append(
            Info(  # no warning: without an open preview nothing is mailed
                "PARLEY_MAIL_HOST is not set: mail to visitors of previews is caught, and no link reaches them.",
                hint="Set PARLEY_MAIL_HOST and PARLEY_MAIL_FROM, or keep every preview closed.",
                id="parley.I005",
            )
        )
    if settings.FORWARDED_ALLOW_IPS and not settings.BEHIND_PROXY:
        found.append(
            Warning(
                "FORWARDED_ALLOW_IPS is set and PARLEY_BEHIND_PROXY is off: what it names can claim any address.",
                hint="Unset FORWARDED_ALLOW_IPS where no proxy is in front, else set PARLEY_BEHIND_PROXY=1.",
                id="parley.W004",
            )
        )
    if settings.OIDC_ISSUER.startswith("http://") and settings.PRODUCTION:
        found.append(
            Warning(
                "PARLEY_OIDC_ISSUER is reached over plain HTTP: whoever sits between can sign in as anybody.",
                hint="Use the provider's https address.",
                id="parley.W011",
            )
        )
    if (
        settings.OIDC_ISSUER
        and settings.OIDC_NEW_PEOPLE == "anyone"
        and not (settings.OIDC_DOMAINS or settings.OIDC_GROUPS)
    ):
        found.append(
            Warning(
                "PARLEY_OIDC_NEW_PEOPLE is anyone: everybody whom the provider knows gets an account.",
                hint="Set PARLEY_OIDC_DOMAINS or PARLEY_OIDC_GROUPS, unless the provider knows only your people.",
                id="parley.W012",
            )
        )
    return found


@register(Tags.security)
def check_settings(**_: Any) -> list[CheckMessage]:
    """Settings that are wrong in any environment."""
    found: list[CheckMessage] = []
    if settings.PRODUCTION and settings.DEBUG:
        found.append(
            Error(
                "PARLEY_DEBUG is on in production: error pages would show settings and rows to strangers.",
                hint="Unset PARLEY_DEBUG.",
                id="parley.E001",
            )
        )
    if settings.LOCK_TIMEOUT_SECONDS > settings.STATEMENT_TIMEOUT_SECONDS > 0:
        found.append(
            Error(
                "PARLEY_LOCK_TIMEOUT_SECONDS is longer than PARLEY_STATEMENT_TIMEOUT_SECONDS, so it never applies.",
                hint="Make it shorter.",
                id="parley.E002",
            )
        )
    if settings.LARGEST_UPLOAD > settings.BODIES_ON_DISK:
        found.append(
            Error(
                "PARLEY_UPLOAD_MB is more than PARLEY_BODIES_ON_DISK_MB, so no file of that size ever arrives.",
                hint="Raise PARLEY_BODIES_ON_DISK_MB, best to several files' worth.",
                id="parley.E005",
            )
        )
    if settings.OIDC_ISSUER and not (settings.OIDC_CLIENT_ID and settings.OIDC_CLIENT_SECRET):
        found.append(
            Error(
                "PARLEY_OIDC_ISSUER is set without PARLEY_OIDC_CLIENT_ID and PARLEY_OIDC_CLIENT_SECRET.",
                hint="Set both to what the provider gave.",
                id="parley.E011",
            )
        )
    for network in settings.SHARED_ADDRESSES:
        if not _names_a_proxy(network):
            found.append(
                Error(
                    f"PARLEY_SHARED_ADDRESSES names {network!r}: must be an address or a network, not all there are.",
                    hint="Write 203.0.113.7 or 203.0.113.0/24; separate several by commas.",
                    id="parley.E012",
                )
            )
    store = settings.PARLEY_STORE
    if store.exists() and not os.access(store, os.R_OK | os.W_OK | os.X_OK):
        found.append(
            Error(
                f"PARLEY_STORE={store} cannot be written by this user.",
                hint="Give this user the folder, or set PARLEY_STORE to another.",
                id="parley.E003",
            )
        )
    for proxy in settings.FORWARDED_ALLOW_IPS.split(","):
        if settings.FORWARDED_ALLOW_IPS and not _names_a_proxy(proxy.strip()):
            found.append(
                Error(
                    f"FORWARDED_ALLOW_IPS names {proxy.strip()!r}: must be an address or a network, not all there are.",
                    hint="Name the address that the proxy connects from; separate several by commas.",
                    id="parley.E004",
                )
            )
    return found


def _names_a_proxy(proxy: str) -> bool:
    """Whether uvicorn reads this as an address or a network, other than the network of all addresses.

    If all addresses were trusted as proxies, anybody could claim any client address.
    """
    try:
        return ipaddress.ip_network(proxy).prefixlen > 0
    except ValueError:
        return False
