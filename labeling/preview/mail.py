"""Mail to visitors; and where no mail server is set, the backend that catches it for admins to read."""

from collections.abc import Sequence
from datetime import timedelta

from django.core.mail import EmailMessage, send_mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.models import CaughtMail, Preview

KEPT = timedelta(hours=24)


class CatchingBackend(BaseEmailBackend):
    """Keeps messages as rows instead of sending them."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        caught = CaughtMail.objects.bulk_create(
            CaughtMail(to=", ".join(one.recipients())[:320], subject=str(one.subject)[:300], body=str(one.body))
            for one in email_messages
        )
        return len(caught)


def send_link(preview: Preview, *, to: str, url: str, minutes: int) -> None:
    """Send the link that lets in. The words are the same whether the address is known or not."""
    subject = _("Your way into %(title)s") % {"title": preview.title}
    body = _(
        "Somebody, most likely you, gave this address to enter “%(title)s”.\n\n"
        "Open this link within %(minutes)d minutes; it works once:\n\n%(url)s\n\n"
        "If it was not you, do nothing: without the link nobody comes in, and the address is forgotten within a day."
    ) % {"title": preview.title, "minutes": minutes, "url": url}
    send_mail(" ".join(subject.split()), body, None, [to])


def forget_caught() -> int:
    """Delete caught mail that is a day old; returns how many."""
    return CaughtMail.objects.filter(at__lt=Now() - KEPT).delete()[0]
