"""What a person said of the answers in their own chat, for the page: their thumb, their report, what the filter did.

Only reads; labeling.safety writes these rows.
"""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q

from labeling.models import Message, Report, Screening, Thumb


def annotate_reactions(messages: Sequence[Message], *, person_id: UUID | None) -> None:
    """Give `reaction` to each message that can be judged: what a policy said, or what the filter acted on."""
    if person_id is None or not messages:
        return
    ids = [message.pk for message in messages]
    completions = [message.completion_id for message in messages if message.completion_id]
    given = Thumb.objects.that_count().filter(message__in=ids, created_by=person_id).select_related("better")
    thumbs = {thumb.message_id: thumb for thumb in given}
    reports = {report.message_id: report for report in Report.objects.filter(message__in=ids, reporter=person_id)}
    rows = Screening.objects.that_acted().filter(Q(message__in=ids) | Q(completion__in=completions))
    acted = {one for pair in rows.values_list("message_id", "completion_id") for one in pair if one}
    for message in messages:
        filter_acted = message.pk in acted or message.completion_id in acted
        is_answer = message.role == Message.Role.ASSISTANT and message.authorship == Message.Authorship.POLICY
        if is_answer or filter_acted:
            message.reaction = {  # type: ignore[attr-defined]
                "takes_thumb": is_answer and bool(message.content.strip()),
                "thumb": thumbs.get(message.pk),
                "report": reports.get(message.pk),
                "filter_acted": filter_acted,
            }
