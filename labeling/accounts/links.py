"""Links that open an account once: invitations, new passwords, proofs of an address; mailed, or handed over.

A link's secret is shown once and stored as a hash. Opening its page uses nothing up: programs that read mail open links
too. What is answered to who asks for a new password never depends on whether there is such a person.
"""

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labeling.accounts.users import AccountError, change_own_password
from labeling.models import AccountLink, AuditEvent, User

Purpose = AccountLink.Purpose
LIVES = {Purpose.INVITATION: timedelta(days=7), Purpose.PASSWORD: timedelta(hours=24), Purpose.ADDRESS: timedelta(1)}
ASKED_LIFE = timedelta(hours=1)  # of a link that somebody asked for at the door
MOST_ALIVE = 3  # that somebody may have asked for at the door and not used: more are answered alike and not sent

PLACEHOLDER = "SECRET"


def mails_go_out() -> bool:
    """Whether mail leaves this Parley; else links are handed over."""
    return not settings.CATCHES_MAIL


def make_link(
    user: User, *, purpose: str, by: User | None, email: str = "", life: timedelta | None = None
) -> tuple[AccountLink, str]:
    """A link for this person. Returns it with its secret, which is not stored. Raises AccountError.

    Older ones of its purpose are void, unless somebody asked for this one at the door, with a `life` of its own.
    """
    if not user.is_active or user.is_visitor:
        raise AccountError(_("This account is closed; open it again first."))
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        if life is None:
            AccountLink.objects.alive().filter(user=user, purpose=purpose).update(expires_at=Now())
        link = AccountLink.objects.create(
            user=user,
            purpose=purpose,
            email=email,
            sha256=_hash(secret),
            made_by=by,
            expires_at=timezone.now() + (life or LIVES[Purpose(purpose)]),
        )
        AuditEvent.note("make account link", user, by=by, purpose=purpose)
    return link, secret


def send_link(link: AccountLink, *, url: str) -> None:
    """Mail a link. The words name the person's name here, and nothing else of the account."""
    hours = max(1, round((link.expires_at - timezone.now()).total_seconds() / 3600))
    words = {"name": link.user.username, "hours": hours}
    subject, opening = {
        Purpose.INVITATION: (_("You are invited to Parley"), _("An account was made for you: “%(name)s”.")),
        Purpose.PASSWORD: (_("A new password for Parley"), _("Somebody asked for a new password of “%(name)s”.")),
        Purpose.ADDRESS: (_("Is this your address?"), _("“%(name)s” has named this address as theirs.")),
    }[Purpose(link.purpose)]
    how = ngettext(
        "Open this link within %(hours)d hour; it works once:",
        "Open this link within %(hours)d hours; it works once:",
        hours,
    )
    ending = _("If this was not meant for you, do nothing.")
    send_mail(subject, f"{opening % words}\n\n{how % words}\n\n{url}\n\n{ending}", None, [link.email])
    AccountLink.objects.filter(pk=link.pk).update(is_mailed=True)


def ask_for_password(*, name: str, url: str) -> None:
    """Send a link for a new password to the proven address of who has this name or this address, if somebody has.

    `url` is a link's address with PLACEHOLDER where the secret belongs.
    """
    found = User.objects.exclude(role=User.Role.VISITOR).exclude(proven_email="").filter(is_active=True)
    for user in found.filter(Q(username__iexact=name) | Q(proven_email__iexact=name))[:MOST_ALIVE]:
        waiting = AccountLink.objects.alive().filter(user=user, purpose=Purpose.PASSWORD, made_by=None)
        if waiting.count() < MOST_ALIVE:
            link, secret = make_link(user, purpose=Purpose.PASSWORD, by=None, email=user.proven_email, life=ASKED_LIFE)
            send_link(link, url=url.replace(PLACEHOLDER, secret))


def find_link(secret: str) -> AccountLink | None:
    """The link of this secret, if it still opens its account."""
    return AccountLink.objects.alive().select_related("user").filter(sha256=_hash(secret)).first()


def use_for_password(link: AccountLink, *, password: str) -> None:
    """Set the password that the person chose. All their sessions, tokens and links end. Raises AccountError."""
    with transaction.atomic():
        _use(link)
        change_own_password(link.user, password=password)


def use_for_address(link: AccountLink) -> None:
    """Keep that mail reached this person. Raises AccountError if the link was used, or another address named since."""
    with transaction.atomic():
        _use(link)
        if link.user.email.casefold() != link.email.casefold():
            raise AccountError(_("The address of the account was changed since; ask for another link."))


def invitation_of(email: str) -> AccountLink | None:
    """The newest open invitation that an admin sent to this address or named it for."""
    sent = AccountLink.objects.alive().filter(purpose=Purpose.INVITATION, email__iexact=email)
    return sent.select_related("user").order_by("-created_at").first()


def use_invitation(link: AccountLink) -> None:
    """Use an invitation up by the first sign-in through a provider, which vouches for its address."""
    with transaction.atomic():
        _use(link, is_vouched_for=True)


def forget_old_links() -> int:
    """Delete links that are over; returns how many. The audit log keeps that they were made and used."""
    return AccountLink.objects.filter(expires_at__lt=Now()).delete()[0]


def _use(link: AccountLink, *, is_vouched_for: bool = False) -> None:
    # Conditions on this row alone: one on the account would be a subquery, which a second request that has waited for
    # this one would not look at again. Closing an account ends its links by their own time.
    now = timezone.now()
    if not AccountLink.objects.filter(pk=link.pk, used_at=None, expires_at__gt=now).update(used_at=now):
        raise AccountError(_("This link was used already, or is too old."))
    AuditEvent.note("use account link", link.user, by=link.user, purpose=link.purpose)
    if link.email and (link.is_mailed or is_vouched_for):
        link.user.proven_email = link.email
        link.user.email = link.user.email or link.email
        link.user.save(update_fields=["proven_email", "email"])


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
