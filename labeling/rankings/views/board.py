"""Template context and JavaScript data for a board, whether for work, for practice or for a reference ranking."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone

from labeling.models import Comparison, Reference, User
from labeling.rankings.submission import LONGEST_NOTE, RATING_FLAGS
from labeling.rankings.wording import layout_choices, ranking_words, strength_choices
from labeling.sampling import screenings
from labeling.statistics.agreement import Tiers
from labeling.web.form_fields import whole_number

SIGNS = {1: ">", 2: "≫", 3: "⋙"}  # of strengths in an order on one line; strengths.js has the same


def letters(shown_order: Sequence[str]) -> dict[str, str]:
    """The letter of each completion's id: A, B, C … in the order in which they are shown."""
    return {identifier: chr(ord("A") + index) for index, identifier in enumerate(shown_order)}


def layout_of(user: User) -> str:
    return str(user.preferences.get("layout") or "stacked")


def board_context(
    comparison: Comparison,
    *,
    shown_order: Sequence[str],
    layout: str,
    posted: Mapping[str, Any] | None = None,
    error: str = "",
) -> dict[str, Any]:
    """Template context: the prompt and the completions.

    If the page is shown with an error, everything posted is in it too: without JavaScript nothing else keeps it.
    """
    known = {str(completion.id): completion for completion in comparison.completions.all()}
    screened = screenings.of_completions(known.values())
    shelves = (posted or {}).get("shelves")
    posted_shelves = shelves if isinstance(shelves, dict) else {}
    completions = [
        {
            "id": identifier,
            "letter": letter,
            "content": known[identifier].content,
            "finish_reason": known[identifier].finish_reason,
            "screening": screened.get(known[identifier].pk),
            "posted_shelf": whole_number(str(posted_shelves.get(identifier, ""))),
            **_posted_rating(posted, identifier),
        }
        for identifier, letter in letters(shown_order).items()
    ]
    return {
        "layout": layout,
        "layouts": layout_choices(),
        "earlier_messages": comparison.messages[:-1],
        "last_message": comparison.messages[-1],
        "completions": completions,
        "shelves": range(1, len(completions) + 1),
        "gaps": [(lower, _posted_strength(posted, lower)) for lower in range(2, len(completions) + 1)],
        "strengths": strength_choices(),
        "posted_line": whole_number(str((posted or {}).get("line") or "")),
        "rating_values": range(1, 8),
        "rating_flags": list(RATING_FLAGS.items()),
        "posted_note": str((posted or {}).get("note") or ""),
        "longest_note": LONGEST_NOTE,
        "form_error": error,
    }


def board_facts(name: str, *, num: int, layout: str, urls: Mapping[str, str]) -> dict[str, Any]:
    """Data for rank.js, embedded in the page as JSON; its texts come from here so that they are translated.

    `name` is the key of the draft in the browser's storage. Without the urls "draft" and "renew" the draft is kept
    only there, and not on the server.
    """
    return {
        "name": name,
        "num_shelves": num,
        "layout": layout,
        "draft": {},
        "draft_version": 0,
        "draft_saved_at": 0,
        "urls": urls,
        "asks": {"ratings": False, "strengths": False},  # what an order must have besides before it is submitted
        "time_zone": timezone.get_current_timezone_name(),
        "words": ranking_words(),
    }


def _posted_rating(posted: Mapping[str, Any] | None, identifier: str) -> dict[str, Any]:
    ratings = (posted or {}).get("ratings")
    rating = ratings.get(identifier) if isinstance(ratings, dict) else None
    if not isinstance(rating, dict):
        return {}
    return {
        "posted_overall": whole_number(str(rating.get("overall") or "")),
        "posted_flags": rating.get("flags") or [],
        "posted_note": rating.get("note") or "",
    }


def _posted_strength(posted: Mapping[str, Any] | None, lower: int) -> int | None:
    strengths = (posted or {}).get("strengths")
    return whole_number(str(strengths.get(str(lower)) or "")) if isinstance(strengths, dict) else None


def answer(request: HttpRequest, url: str, **more: str) -> HttpResponse:
    """Send the client to `url` after a submission: as JSON for rank.js, with `more`, as a redirect for a plain form."""
    return JsonResponse({"next": url, **more}) if request.content_type == "application/json" else redirect(url)


def format_order(
    tiers: Tiers,
    unacceptable_from: int | None,
    letters: Mapping[str, str],
    *,
    strengths: Sequence[int] = (),
    tied: str = " = ",
) -> str:
    """An order as one line of text; unacceptable completions come after a bar: B > A = C | D.

    With strengths the sign says how much better: > a little, ≫ clearly, ⋙ far; before the bar it stands where it was
    said: B ⋙ A = C > | D.
    """
    names = [tied.join(sorted(letters[identifier] for identifier in tier)) for tier in tiers]
    line = len(names) if unacceptable_from is None else unacceptable_from
    signs = [SIGNS[strength] for strength in strengths] or [">"] * (len(names) - 1)
    words: list[str] = []
    for place, name in enumerate(names):
        is_below_line = place == line
        if place and (strengths or not is_below_line):
            words.append(signs[place - 1])
        words += ["|", name] if is_below_line else [name]
    return " ".join(words)


def reference_completions(
    reference: Reference, comparison: Comparison, letters: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The completions of a reference, best first, with letter, tier, acceptability, content and remark."""
    known = {str(completion.id): completion for completion in comparison.completions.all()}
    screened = screenings.of_completions(known.values())
    line = len(reference.tiers) if reference.unacceptable_from is None else reference.unacceptable_from
    return [
        {
            "letter": letters[identifier],
            "tier": place + 1,
            "is_unacceptable": place >= line,
            "content": known[identifier].content,
            "finish_reason": known[identifier].finish_reason,
            "screening": screened.get(known[identifier].pk),
            "remark": reference.remarks.get(identifier, ""),
        }
        for place, tier in enumerate(reference.tiers)
        for identifier in sorted(tier, key=letters.__getitem__)
    ]
