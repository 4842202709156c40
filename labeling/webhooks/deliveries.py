"""Webhooks and their deliveries: an event is stored with the change itself, then posted until the address accepts it.

A delivery is a row. Claiming it postpones its due time, so an attempt that dies is due again by itself. An address
may therefore get the same delivery twice, and recognises it by its id.
"""

import base64
import hmac
import json
import time
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Count, F
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling.jobs import dispatch
from labeling.models import AuditEvent, Delivery, Project, User, Webhook
from labeling.models.webhooks import new_secret
from labeling.webhooks import outbound_http
from labeling.webhooks.outbound_http import OutboundError
from records.names import DELIVER

MOST_PER_PROJECT = 20
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 300, 1800, 7200, 21600))  # after each attempt
KEPT = timedelta(days=30)
OVERLAP = timedelta(hours=24)  # for which two secrets sign: time to tell every receiver of the new one
AT_ONCE = 2  # attempts at one webhook: the threads of all are few, and a silent address keeps each for long
ATTEMPT = timedelta(seconds=outbound_http.LONGEST_SECONDS + 15)  # at most: the request, and looking its host up
_IN_TURN = timedelta(seconds=5)  # until a delivery is looked at again whose webhook was busy
_SENT_AT_ONCE = 200  # deliveries that are dispatched by one retry or one sweep, so that neither floods the queue
State = Delivery.State


class WebhookError(ValueError):
    """A webhook that cannot be added; the text is for the person who tried."""


def add_webhook(project: Project, *, url: str, events: list[str], by: User) -> Webhook:
    """Add an address that gets these events from now on. Raises WebhookError."""
    if not events or not set(events) <= set(Webhook.Event.values):
        raise WebhookError(_("Choose at least one of: %(events)s.") % {"events": ", ".join(Webhook.Event.values)})
    try:
        outbound_http.require_public_url(url)
    except OutboundError as error:
        raise WebhookError(str(error)) from error
    if Webhook.objects.filter(project=project, closed_at=None).count() >= MOST_PER_PROJECT:
        raise WebhookError(_("A project has at most %(n)d webhooks; close one first.") % {"n": MOST_PER_PROJECT})
    with transaction.atomic():
        webhook = Webhook.objects.create(project=project, url=url, events=sorted(set(events)), created_by=by)
        AuditEvent.note("add webhook", webhook, by=by, url=url, events=webhook.events)
    return webhook


def close_webhook(webhook: Webhook, *, by: User) -> None:
    """Close a webhook: it gets nothing more, and deliveries that wait are failed."""
    with transaction.atomic():
        if Webhook.objects.filter(id=webhook.id, closed_at=None).update(closed_at=Now()):
            waiting = webhook.deliveries.filter(state=State.WAITING)
            waiting.update(state=State.FAILED, error=_("The webhook was closed."), finished_at=Now())
            AuditEvent.note("close webhook", webhook, by=by, url=webhook.url)


def retry_deliveries(webhook: Webhook, *, by: User) -> int:
    """Make all waiting and failed deliveries of an open webhook due now; returns how many.

    The number of attempts is not reset: it is the fencing token by which the result of an attempt that is still under
    way is dropped. The rows are locked, so that no such result is stored between reading and updating them.
    """
    if webhook.closed_at is not None:
        return 0
    with transaction.atomic():
        missed = webhook.deliveries.filter(state__in=(State.WAITING, State.FAILED))
        again = list(missed.select_for_update().order_by("created_at").values_list("id", flat=True))
        Delivery.objects.filter(id__in=again).update(state=State.WAITING, due_at=Now(), finished_at=None)
        for identifier in again[:_SENT_AT_ONCE]:  # the sweep sends the others
            transaction.on_commit(partial(_dispatch, identifier), robust=True)
        AuditEvent.note("try webhook again", webhook, by=by, num=len(again))
    return len(again)


def delivery_counts(webhook: Webhook) -> dict[str, int]:
    """How many of its deliveries are in each state, and "total". Those that ended over 30 days ago are deleted."""
    counts = dict(webhook.deliveries.order_by().values_list("state").annotate(num=Count("id")))
    return {"total": sum(counts.values()), **{state.value: counts.get(state, 0) for state in State}}


def announce(project: Project, event: Webhook.Event, **facts: Any) -> None:
    """Store an event for every webhook that wants it, in the caller's transaction, and dispatch it after the commit.

    An event therefore exists exactly if the change does. `robust`: a broker that is away must not fail the request.
    """
    for webhook in Webhook.objects.filter(project=project, closed_at=None, events__contains=[event]):
        at = timezone.now().isoformat()
        body = json.dumps({"event": event, "project": project.slug, "at": at, **facts}, ensure_ascii=False)
        delivery = Delivery.objects.create(webhook=webhook, event=event, body=body, due_at=Now())
        transaction.on_commit(partial(_dispatch, delivery.id), robust=True)


def deliver(delivery_id: Any) -> bool:
    """Make one attempt, if the delivery is due and no other attempt has it. Returns whether the address accepted it."""
    delivery = _claim(delivery_id)
    if delivery is None:
        return False
    status, error = _post(delivery)
    taken = status is not None and 200 <= status < 300
    state = State.DONE if taken else State.FAILED if delivery.num_attempts > len(PAUSES) else State.WAITING
    changes: dict[str, Any] = {"status": status, "error": error[:300], "state": state, "attempt_ends_at": None}
    if state != State.WAITING:
        changes["finished_at"] = Now()
    # Only if this attempt is still the last one: a slow attempt must not overwrite the result of the next.
    mine = Delivery.objects.filter(id=delivery.id, state=State.WAITING, num_attempts=delivery.num_attempts)
    mine.update(**changes)
    return taken


def sweep_deliveries() -> int:
    """Dispatch what is due, and delete what ended long ago. Safe to repeat. Returns how many were dispatched."""
    due = list(
        Delivery.objects.filter(state=State.WAITING, due_at__lte=Now())
        .order_by("due_at")
        .values_list("id", flat=True)[:_SENT_AT_ONCE]
    )
    for identifier in due:
        _dispatch(identifier)
    Delivery.objects.filter(finished_at__lt=Now() - KEPT).delete()
    return len(due)


def rotate_secret(webhook: Webhook, *, by: User) -> None:
    """Give an open webhook a new secret; for OVERLAP deliveries are signed with the one before, too."""
    with transaction.atomic():
        locked = Webhook.objects.select_for_update().get(id=webhook.id)
        if locked.closed_at is not None:
            raise WebhookError(_("A closed webhook is told nothing."))
        webhook.old_secret, webhook.secret = locked.secret, new_secret()
        webhook.old_secret_until = timezone.now() + OVERLAP
        webhook.save(update_fields=["secret", "old_secret", "old_secret_until"])
        AuditEvent.note("rotate secret of webhook", webhook, by=by, url=webhook.url)


def signatures(delivery_id: Any, body: str, *, at: int, secrets: Iterable[str]) -> str:
    """The header `webhook-signature`: an HMAC-SHA256 of id, time and body with each secret (Standard Webhooks 1.0).

    None of the three can be altered, and an old delivery cannot be replayed. A receiver accepts any one of them.
    """
    signed = f"{delivery_id}.{at}.{body}".encode()
    macs = (hmac.digest(_key_of(secret), signed, "sha256") for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(mac).decode()}" for mac in macs)


def _key_of(secret: str) -> bytes:
    # Not strict: secrets of before were in another alphabet of base64, of which verifiers pass over what is not theirs.
    return base64.b64decode(secret.removeprefix("whsec_") + "==")


def _secrets_of(webhook: Webhook) -> list[str]:
    """The secrets that sign now, the newest first."""
    is_old_alive = webhook.old_secret_until is not None and webhook.old_secret_until > timezone.now()
    return [webhook.secret, *([webhook.old_secret] if is_old_alive else [])]


def _claim(delivery_id: Any) -> Delivery | None:
    """Start an attempt: count it and postpone the due time. None if the delivery is not due, or another claims it now.

    A locked row is skipped, not waited for: whoever holds it is about to make this attempt. One whose webhook has
    enough attempts under way is postponed; two claims at one moment may make that one attempt more, which does no harm.
    """
    with transaction.atomic():
        due = Delivery.objects.select_for_update(of=("self",), skip_locked=True).select_related("webhook")
        delivery = due.filter(id=delivery_id, state=State.WAITING, due_at__lte=Now()).first()
        if delivery is None:
            return None
        under_way = Delivery.objects.filter(webhook_id=delivery.webhook_id, attempt_ends_at__gt=Now())
        if under_way.count() >= AT_ONCE:
            Delivery.objects.filter(id=delivery.id).update(due_at=Now() + _IN_TURN)
            return None
        pause = PAUSES[min(delivery.num_attempts, len(PAUSES) - 1)]
        Delivery.objects.filter(id=delivery.id).update(
            num_attempts=F("num_attempts") + 1, due_at=Now() + pause, attempt_ends_at=Now() + ATTEMPT
        )
        delivery.num_attempts += 1
        return delivery


def _post(delivery: Delivery) -> tuple[int | None, str]:
    """The status of the answer, None if there was none, and what went wrong."""
    at = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Parley",
        "Parley-Event": delivery.event,
        "webhook-id": str(delivery.id),
        "webhook-timestamp": str(at),
        "webhook-signature": signatures(delivery.id, delivery.body, at=at, secrets=_secrets_of(delivery.webhook)),
    }
    try:
        status = outbound_http.post(delivery.webhook.url, delivery.body.encode(), headers)
    except OutboundError as error:
        return None, str(error)
    return status, "" if 200 <= status < 300 else _("It answered %(status)d.") % {"status": status}


def _dispatch(delivery_id: Any) -> None:
    dispatch.send_task(DELIVER, delivery_id=str(delivery_id))
