"""Whose words a message holds: typed, or taken or edited from a completion that its author was shown.

The texts are compared here (labeling.dialogues.borrowing); what the browser says that a text began as is only a hint,
since an undo, a paste or another program can lose it or leave it standing.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Prefetch
from rapidfuzz.distance import Levenshtein

from labeling.dialogues.borrowing import Offered, find_origin
from labeling.models import Completion, Dialogue, Message, SamplingRun
from labeling.web.form_fields import plain_line_ends

Authorship = Message.Authorship
Purpose = SamplingRun.Purpose
MOST_RUNS = 50  # of a dialogue, the newest, whose completions a text is compared with


def set_authorship(message: Message, *, named: Completion | None = None) -> None:
    """Set the message's authorship with its completion, policy and edit distance, by comparing its text.

    `named` is the completion that the text is said to have begun as, if any.
    """
    origin = _find_origin_of(message, named)
    message.completion, message.policy_id = origin, origin.policy_id if origin is not None else None
    message.authorship, message.edit_distance = Authorship.TYPED, None
    if origin is not None:
        message.edit_distance = Levenshtein.distance(plain_line_ends(origin.content), message.content)
        message.authorship = Authorship.EDITED if message.edit_distance else Authorship.TAKEN


def set_edited_authorship(message: Message) -> None:
    """Set the authorship of a message whose text was changed.

    The text that an imported message had is not kept to compare with: a changed one counts as edited.
    """
    is_foreign = message.completion is None and message.authorship != Authorship.TYPED
    set_authorship(message, named=message.completion)
    if is_foreign and message.authorship == Authorship.TYPED:
        message.authorship = Authorship.EDITED


def _find_origin_of(message: Message, named: Completion | None) -> Completion | None:
    shown = list(_shown_to_author(message))
    known = next((index for index, (one, _) in enumerate(shown) if named is not None and one.pk == named.pk), None)
    if named is not None and known is None:
        shown.append((named, Offered(content=plain_line_ends(named.content))))
        known = len(shown) - 1
    found = find_origin(message.content, [offered for _, offered in shown], named=known)
    return shown[found][0] if found is not None else None


def _shown_to_author(message: Message) -> Iterator[tuple[Completion, Offered]]:
    """What the dialogue's author was shown in it, and in those that it was branched from, the newest first.

    Where the dialogue was written while ranking, that is also what was ranked.
    """
    dialogue = message.dialogue
    if dialogue.lease is not None:
        comparison = dialogue.lease.comparison
        yield from _offered(comparison.completions.order_by("index"), comparison.messages)
    turns = message.position - dialogue.messages.filter(role=Message.Role.SYSTEM, position__lt=message.position).count()
    for run in _runs(dialogue):
        is_here = run.as_role == message.role and _num_turns(run.messages) == turns
        yield from _offered(run.completions.all(), run.messages, here=is_here)


def _offered(
    completions: Iterable[Completion], prompt: list[dict[str, Any]], *, here: bool = True
) -> Iterator[tuple[Completion, Offered]]:
    asked = "\n\n".join(said["content"] for said in prompt)
    for one in completions:
        yield one, Offered(content=plain_line_ends(one.content), prompt=asked, here=here)


def _runs(dialogue: Dialogue) -> list[SamplingRun]:
    """The newest runs whose completions the author saw in this dialogue or, three branches back, before it."""
    branches = ("branched_from_id", "branched_from__branched_from_id", "branched_from__branched_from__branched_from_id")
    origins = Dialogue.objects.filter(id=dialogue.id).values_list(*branches).first() or ()
    runs = SamplingRun.objects.filter(
        dialogue__in=[dialogue.id, *filter(None, origins)],
        dialogue__author=dialogue.author_id,
        purpose__in=(Purpose.SUGGESTION, Purpose.CHAT),
    )
    completions = Prefetch("completions", Completion.objects.order_by("index"))
    return list(runs.order_by("-created_at").prefetch_related(completions)[:MOST_RUNS])


def _num_turns(prompt: list[dict[str, Any]]) -> int:
    return sum(said["role"] != Message.Role.SYSTEM for said in prompt)
