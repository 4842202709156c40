"""Appeals: who may appeal against a screening, who may decide, and what a decision changes.

The functions take rows and plain values: the pages here, the preview and the API call the same. Whoever decides sees
neither the probability nor the verdict nor the author, and had no part in it before.
"""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling.models import Appeal, AuditEvent, Dialogue, Label, Message, Project, Report, Screening, User, Webhook
from labeling.models.safety.labels import NO, YES
from labeling.safety import labels
from labeling.webhooks.deliveries import announce

WITHIN = timedelta(days=183)  # six months, as the Digital Services Act has it (article 20)
MOST_OPEN = 20  # of one person
LONGEST_WORDS = 2_000  # characters of a reason, and of a reply


class AppealError(ValueError):
    """An appeal or a decision that is refused; the message is for the person who tried."""


class AlreadyDone(AppealError):
    """Somebody was there before: this was appealed, or decided, already."""


def appeal(screening: Screening, by: User, why: str) -> Appeal:
    """Appeal once against what a filter did to one's own text. Raises AppealError.

    The lock on the person's row makes two of their requests wait for each other: twenty open ones stay twenty.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(id=by.id)
        if reason := why_not(screening, by):
            taken = Appeal.objects.filter(screening=screening).exists() and by.id in screening.speakers
            raise (AlreadyDone if taken else AppealError)(reason)
        made = Appeal.objects.create(
            project_id=screening.project_id, screening=screening, person=by, why=why.strip()[:LONGEST_WORDS]
        )
        AuditEvent.note("appeal", made, by=by, screening=str(screening.id))
        announce(screening.project, Webhook.Event.APPEAL_OPENED, appeal_id=str(made.id), category=screening.category)
    return made


def why_not(screening: Screening, by: User) -> str:
    """Why this person cannot appeal against this screening; empty where they can."""
    if by.id not in screening.speakers:
        return _("Only the person whose text this is can appeal.")
    if Appeal.objects.filter(screening=screening).exists():
        return _("You have appealed already; a text is looked at once.")
    if not screening.acted or screening.in_shadow:
        return _("The filter did nothing to this text, so there is nothing to appeal against.")
    if screening.created_at < timezone.now() - WITHIN:
        return _("This is more than six months ago; it can no longer be appealed against.")
    if Appeal.objects.filter(person=by, state=Appeal.State.OPEN).count() >= MOST_OPEN:
        return _("You have %(n)d open appeals; wait until one is decided.") % {"n": MOST_OPEN}
    return ""


def appeals_of(person: User) -> QuerySet[Appeal]:
    """A person's appeals, the newest first, with what each is about."""
    return (
        Appeal.objects.filter(person=person)
        .select_related("project", "screening__message", "screening__completion", "screening__run")
        .order_by("-created_at", "-id")
    )


def open_to(project: Project, by: User) -> QuerySet[Appeal]:
    """The open appeals that this person may decide, the oldest first: nothing that they had a part in."""
    waiting = Appeal.objects.waiting().filter(project=project).exclude(person=by)
    labelled = Label.objects.filter(drawn__screening=OuterRef("screening"), by=by)
    mine = labels.texts_of(by).filter(project=project)
    return (
        waiting.exclude(Exists(labelled))
        .exclude(screening__in=mine.values("id"))
        .exclude(screening__in=_handled_screenings(project, by).values("id"))
        .select_related("screening", "project")
    )


def may_decide(found: Appeal, by: User) -> bool:
    return open_to(found.project, by).filter(id=found.id).exists()


def reveal(found: Appeal, *, by: User) -> str:
    """The text of an appeal, what was withheld of it included; that it was read is written down. Raises AppealError."""
    if not may_decide(found, by):
        raise AppealError(_("This appeal is not yours to decide, so its text is not yours to read."))
    AuditEvent.note("read appealed text", found, by=by)
    return found.screening.whole_text


def decide(found: Appeal, *, by: User, overturns: bool, reply: str) -> Appeal:
    """Uphold what the filter did, or overturn it: then the text is shown again. Raises AppealError.

    The row is locked: of two who decide at once the second is told that it is done. What the first said stays.
    """
    reply = reply.strip()[:LONGEST_WORDS]
    if not reply:
        raise AppealError(_("A reply is required: the person is to know why."))
    with transaction.atomic():
        held = Appeal.objects.select_for_update(of=("self",)).select_related("screening", "project").get(id=found.id)
        if held.state != Appeal.State.OPEN:
            raise AlreadyDone(_("Somebody else has decided this appeal meanwhile."))
        if not may_decide(held, by):
            raise AppealError(_("Whoever had a part in this text cannot decide on it."))
        held.state = Appeal.State.OVERTURNED if overturns else Appeal.State.UPHELD
        held.reply, held.decided_by, held.decided_at = reply, by, timezone.now()
        held.save(update_fields=["state", "reply", "decided_by", "decided_at"])
        AuditEvent.note("decide appeal", held, by=by, state=held.state)
        if held.screening.category:
            answers = {held.screening.category: NO if overturns else YES}
            labels.leave_by_decision(held.screening, answers, by=by)
        if overturns:
            _show_again(held.screening)
    return held


def _show_again(screening: Screening) -> None:
    """Join what was withheld to its completion, and to the message that was made of it unless it was edited since.

    Not where the completion stands in a comparison: people rank it as they see it. Its text stays with the screening.
    """
    completion, withheld = screening.completion, getattr(screening, "withheld", None)
    if completion is None or withheld is None or completion.comparison_id is not None:
        return
    before, whole = completion.content, completion.content + withheld.content
    messages = Message.objects.filter(completion=completion, content=before)
    dialogues = list(messages.values_list("dialogue", flat=True))
    Dialogue.objects.filter(id__in=dialogues).update(version=F("version") + 1, updated_at=Now())
    messages.update(content=whole, updated_at=Now())
    completion.content, completion.num_tokens, completion.logprob = whole, None, None
    completion.save(update_fields=["content", "num_tokens", "logprob"])
    withheld.delete()


def _handled_screenings(project: Project, by: User) -> QuerySet[Screening]:
    """Screenings of texts that this person reported, or whose reports they acted on, whatever they did."""
    events = AuditEvent.objects.filter(by=by, subject_type="report")
    handled: list[UUID] = [UUID(one) for one in events.values_list("subject_id", flat=True)]
    decided = AuditEvent.objects.filter(by=by, subject_type="case").values_list("subject_id", flat=True)
    cases = [UUID(one) for one in decided]
    reports = Report.objects.filter(Q(reporter=by) | Q(id__in=handled) | Q(case__in=cases), project=project)
    return Screening.objects.filter(
        Q(id__in=reports.exclude(screening=None).values("screening"))
        | Q(completion__in=reports.exclude(completion=None).values("completion"))
        | Q(message__in=reports.exclude(message=None).values("message")),
        project=project,
    )
