"""The public door: links by e-mail that let in once, visitors' accounts, and what they consent to.

What is answered never depends on whether an address is known, and the same is done for both: a row and a message.
Addresses of the network are counted by a hash with a salt of the day, for 24 hours.
"""

import hmac
import secrets
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling.accounts.guessing import network_of
from labeling.models import AuditEvent, Consent, DoorLink, Preview, User
from labeling.preview.mail import send_link

LINK_LIFE = timedelta(minutes=20)
LINK_KEPT = timedelta(hours=24)
SIGN_UPS_PER_ADDRESS = 5  # a day
LINKS_PER_ADDRESS = 20  # a day, signing in again included
LINKS_PER_EMAIL = 5  # a day; more are answered alike, and not sent
_SALT = "parley: the link of a preview's door"  # the purpose: nothing that is signed elsewhere opens this door


class DoorError(ValueError):
    """The door stays shut; the text is for the person before it."""


class TooMany(DoorError):
    """Asked for too often from one address."""


def ask_for_link(
    preview: Preview,
    *,
    email: str,
    address: str,
    url_of: Callable[[str], str],
    terms_version: int | None = None,
    training: bool = False,
) -> None:
    """Send a link to this address, with what was ticked beside it if this was a sign-up. Raises TooMany."""
    email, hashed = email.strip().lower(), address_hash(address)
    with transaction.atomic():
        # Parallel requests from one address are counted one after the other; there is no row to lock.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"parley: door {hashed}"])
        asked = DoorLink.objects.filter(address_hash=hashed)
        sign_ups = asked.exclude(terms_version=None).count()
        if asked.count() >= LINKS_PER_ADDRESS or (terms_version is not None and sign_ups >= SIGN_UPS_PER_ADDRESS):
            raise TooMany(_("So many came in from your network today that the door is shut for it until tomorrow."))
        is_sent = DoorLink.objects.filter(email=email).count() < LINKS_PER_EMAIL
        link = DoorLink.objects.create(
            preview=preview, email=email, terms_version=terms_version, training=training, address_hash=hashed
        )
    if is_sent:
        minutes = int(LINK_LIFE.total_seconds() // 60)
        send_link(preview, to=email, url=url_of(token_of(link)), minutes=minutes)


def token_of(link: DoorLink) -> str:
    return signing.dumps({"link": str(link.id), "preview": link.preview_id}, salt=_SALT)


def find_link(preview: Preview, token: str) -> DoorLink:
    """The link of this token, if it still opens this door. Raises DoorError."""
    try:
        read = signing.loads(token, salt=_SALT, max_age=LINK_LIFE)
    except signing.BadSignature:
        read = {}
    if read.get("preview") == preview.pk:
        link = DoorLink.objects.filter(id=UUID(read["link"]), preview=preview, used_at=None).first()
        if link is not None:
            return link
    raise DoorError(_("This link was used, or is older than twenty minutes. Ask for another; it takes a moment."))


def needs_consent(link: DoorLink) -> bool:
    """Whether who opens this link has still to agree to the terms as they are now."""
    terms = link.preview.terms
    if terms is None or link.terms_version == terms.version:
        return False
    consents = Consent.objects.in_force().filter(
        preview=link.preview, user__email=link.email, user__role=User.Role.VISITOR
    )
    return not consents.filter(terms_version=terms.version).exists()


def open_door(link: DoorLink, *, agreed: bool = False, training: bool = False) -> User:
    """Use the link up, and return the visitor whom it lets in: a new one, if the address was not known.

    `agreed` and `training` are what was ticked on the link's own page. Raises DoorError.
    """
    with transaction.atomic():
        locked = DoorLink.objects.select_for_update().filter(id=link.id, used_at=None).first()
        if locked is None:
            raise DoorError(_("This link was used already. Ask for another; it takes a moment."))
        locked.preview = link.preview
        if needs_consent(locked) and not agreed:
            raise DoorError(_("Please agree to the terms first."))
        user = _visitor_of(locked.email)
        if not user.is_active:
            raise DoorError(_("This account was closed."))
        if agreed or locked.terms_version is not None:
            give_consent(user, link.preview, training=training or locked.training)
        locked.used_at, locked.email = timezone.now(), ""
        locked.save(update_fields=["used_at", "email"])
    return user


def give_consent(user: User, preview: Preview, *, training: bool) -> Consent:
    """A new consent to the terms as they are now, in place of the one before."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        before = Consent.objects.in_force().filter(user=user, preview=preview).first()
        version = preview.terms.version if preview.terms else 0
        if before is not None and (before.training, before.terms_version) == (training, version):
            return before
        Consent.objects.in_force().filter(user=user, preview=preview).update(withdrawn_at=Now())
        made = Consent.objects.create(user=user, preview=preview, terms_version=version, training=training, adult=True)
        AuditEvent.note("consent", user, by=user, preview=preview.slug, terms_version=version, training=training)
    return made


def address_hash(address: str) -> str:
    """The network of an address under a salt that is another every day, and derived, so that none is kept."""
    salt = f"{settings.SECRET_KEY}: addresses of {timezone.now().date().isoformat()}"
    return hmac.digest(salt.encode(), network_of(address).encode(), "sha256").hex()


def forget_links() -> int:
    """Delete links that are a day old, with what was written in them; returns how many."""
    return DoorLink.objects.filter(created_at__lt=Now() - LINK_KEPT).delete()[0]


def _visitor_of(email: str) -> User:
    """The visitor of this address. Two links that are opened at once make one: the index on addresses is unique."""
    found = User.objects.filter(email=email, role=User.Role.VISITOR).first()
    if found is not None:
        return found
    # An advisory lock, since there is no row to lock yet: the second then finds what the first has made.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"parley: visitor {email}"])
    found = User.objects.filter(email=email, role=User.Role.VISITOR).first()
    if found is not None:
        return found
    name = f"visitor-{secrets.token_hex(6)}"
    user = User.objects.create_user(name, None, role=User.Role.VISITOR, email=email)
    AuditEvent.note("sign up", user, by=user)
    return user
