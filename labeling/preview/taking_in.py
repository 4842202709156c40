"""Taking visitors' turns into the pool of prompts, where they consented before they wrote.

An admin does it by hand. Each chat gives its last question, with what led to it. Texts that the filter warned of or
blocked stay where they are.
"""

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from labeling.models import AuditEvent, Consent, Dialogue, Message, Preview, Prompt, Screening, User, VisitorPrompt
from labeling.models.content_hash import fingerprint

SOURCE = "visitor"
MOST_AT_ONCE = 500


def eligible(preview: Preview) -> QuerySet[Dialogue]:
    """Chats begun under a consent in force that were not taken in yet, oldest first."""
    consented = Consent.objects.in_force().filter(
        user=OuterRef("author"), preview=preview, training=True, at__lte=OuterRef("created_at")
    )
    acted = Screening.objects.that_acted().filter(message__dialogue=OuterRef("pk"))
    chats = Dialogue.objects.filter(project=preview.project_id, kind=Dialogue.Kind.VISITOR, author__is_active=True)
    asked = Message.objects.filter(dialogue=OuterRef("pk"), role=Message.Role.USER)
    taken = VisitorPrompt.objects.filter(dialogue=OuterRef("pk"))
    return chats.filter(Exists(consented), Exists(asked), ~Exists(taken), ~Exists(acted)).order_by("created_at", "id")


def take_in(preview: Preview, *, by: User) -> int:
    """Make prompts of the chats that are eligible; returns how many are new. Texts that are there already stay one."""
    num = 0
    for dialogue in eligible(preview)[:MOST_AT_ONCE]:
        num += _take_in_one(preview, dialogue)
    if num:
        AuditEvent.note("take in prompts of visitors", preview.project, by=by, num=num)
    return num


def _take_in_one(preview: Preview, dialogue: Dialogue) -> bool:
    with transaction.atomic():
        # Locked as an erasure locks it: what is being erased is not taken in behind its back.
        locked = Dialogue.objects.select_for_update(of=("self",)).filter(pk=dialogue.pk).first()
        if locked is None or not eligible(preview).filter(pk=dialogue.pk).exists():
            return False
        said = list(dialogue.messages.order_by("position"))
        while said and said[-1].role != Message.Role.USER:
            said.pop()
        messages = [one.plain for one in said]
        prompt, is_new = Prompt.objects.get_or_create(
            project=preview.project,
            content_sha256=fingerprint(messages),
            defaults={"messages": messages, "source": SOURCE},
        )
        if is_new:
            VisitorPrompt.objects.create(prompt=prompt, dialogue=dialogue)
        return is_new
