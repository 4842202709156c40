"""Parses what the ranking screen sends into a Submission. The screen numbers shelves; a ranking has tiers.

Shelf 1 is the best, completions on one shelf are tied, empty shelves are ignored, and everything from shelf `line`
on is unacceptable. `strengths` says of an occupied shelf how much better the tier above it is. Knows nothing of the
database: which ids are allowed is checked on submission.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from labeling.models.rankings import LONGEST_SECONDS
from labeling.rankings.submission import LONGEST_NOTE, RatingGiven, Submission
from labeling.web import storable


class BoardError(ValueError):
    """A board that is not a ranking; the text is for the person."""


def read_request(request: HttpRequest) -> dict[str, Any]:
    """The board as JSON values, from a JSON body or from the plain form."""
    if request.content_type == "application/json":
        return read_json(request.body)
    if "json" in request.POST:
        return read_json(request.POST["json"])
    return _from_plain_form(request)


def read_json(body: str | bytes) -> dict[str, Any]:
    """A JSON object, or BoardError."""
    try:
        values = storable.read_json(body)
    except storable.InputRefused as refused:
        values = {"where": refused.where, "what": refused}
        raise BoardError(_("“%(where)s” was not taken. %(what)s Your work is kept.") % values) from refused
    if not isinstance(values, dict):
        raise BoardError(_("What arrived was not a ranking. Please reload the page; your work is kept."))
    return values


def read_submission(values: Mapping[str, Any]) -> tuple[Submission, uuid.UUID]:
    """What a board hands in, and the key under which its page sends it. Raises BoardError.

    However often a page sends itself, its key lets it count once. The ids are checked at the write.
    """
    abstained = values.get("abstained") or None
    shelves = values.get("shelves")
    if not isinstance(shelves, dict):
        raise BoardError(_("The ranking names no completions."))
    tiers: tuple[tuple[str, ...], ...] = ()
    unacceptable_from = None
    strengths: tuple[int, ...] = ()
    if abstained is None:
        tiers, unacceptable_from = _read_tiers(shelves, _whole_number(values.get("line")))
        strengths = _read_strengths(values.get("strengths") or {}, shelves)
    submission = Submission(
        tiers=tiers,
        unacceptable_from=unacceptable_from,
        strengths=strengths,
        abstained=str(abstained)[:200] if abstained else None,
        ratings=_read_ratings(values.get("ratings") or {}),
        note=_read_note(values.get("note") or ""),
        seconds=read_seconds(values),
        layout=str(values.get("layout") or "")[:16],
    )
    return submission, _read_key(values)


def read_seconds(values: Mapping[str, Any]) -> float | None:
    """Time at work as the page counted it; None where it has no clock. Raises BoardError."""
    given = values.get("seconds")
    if given in (None, ""):
        return None
    try:
        seconds = float(given)
    except (TypeError, ValueError) as error:
        raise _not_seconds() from error
    if isinstance(given, bool) or not 0 <= seconds <= LONGEST_SECONDS:  # also refuses NaN
        raise _not_seconds()
    return seconds


def _not_seconds() -> BoardError:
    return BoardError(_("“seconds” must lie between 0 and %(n)d, a year.") % {"n": LONGEST_SECONDS})


def _read_key(values: Mapping[str, Any]) -> uuid.UUID:
    try:
        return uuid.UUID(str(values.get("key")))
    except ValueError as error:
        raise BoardError(_("The page lost its key. Please reload it; your work is kept.")) from error


def _read_tiers(shelves: dict[str, Any], line: int | None) -> tuple[tuple[tuple[str, ...], ...], int | None]:
    places = {identifier: _whole_number(shelf) for identifier, shelf in shelves.items()}
    unranked = sum(shelf is None for shelf in places.values())
    if unranked:
        raise BoardError(
            _("Some completions are still unranked: %(n)d of %(all)d.") % {"n": unranked, "all": len(places)}
        )
    occupied = sorted({shelf for shelf in places.values() if shelf is not None})
    tiers = tuple(tuple(sorted(key for key, shelf in places.items() if shelf == at)) for at in occupied)
    above = sum(shelf < line for shelf in occupied) if line is not None else len(occupied)
    return tiers, above if above < len(occupied) else None


def _read_strengths(given: Any, shelves: dict[str, Any]) -> tuple[int, ...]:
    """One for each two neighbouring tiers, or none. What is said of an empty shelf, or of the best tier, is ignored."""
    if not isinstance(given, dict):
        raise BoardError(_("How much better the tiers are could not be read."))
    occupied = sorted({shelf for shelf in map(_whole_number, shelves.values()) if shelf is not None})
    said = {shelf: _whole_number(given.get(str(shelf))) for shelf in occupied[1:]}
    missing = [shelf for shelf, strength in said.items() if strength is None]
    if missing and len(missing) < len(said):
        values = {"n": occupied[occupied.index(missing[0]) - 1], "next": missing[0]}
        raise BoardError(_("Say how much better tier %(n)d is than tier %(next)d, as you did of others.") % values)
    return tuple(strength for strength in said.values() if strength is not None)


def _read_ratings(ratings: dict[str, Any]) -> tuple[RatingGiven, ...]:
    if not isinstance(ratings, dict) or not all(isinstance(rating, dict) for rating in ratings.values()):
        raise BoardError(_("The ratings could not be read."))
    return tuple(
        RatingGiven(
            completion_id=str(identifier),
            overall=_whole_number(rating.get("overall")),
            flags=_read_flags(rating.get("flags") or []),
            note=str(rating.get("note") or "")[:5000],
        )
        for identifier, rating in ratings.items()
    )


def _read_note(note: Any) -> str:
    """The note on the whole ranking. A plain form ends lines with CR LF, a script with LF: both are one note."""
    if not isinstance(note, str):
        raise BoardError(_("The note could not be read."))
    text = note.replace("\r\n", "\n").strip()
    if len(text) > LONGEST_NOTE:
        values = {"n": len(text), "most": LONGEST_NOTE}
        raise BoardError(_("The note has %(n)d characters; at most %(most)d are kept. Please shorten it.") % values)
    return text


def _read_flags(flags: Any) -> dict[str, bool]:
    if not isinstance(flags, list) or not all(isinstance(flag, str) for flag in flags):
        raise BoardError(_("The ratings could not be read."))
    return dict.fromkeys(flags, True)


def _whole_number(value: Any) -> int | None:
    """A number of the JSON body, or its digits in the plain form. True is not 1, and 2.5 is no tier."""
    if value is None or value == "":
        return None
    if type(value) is int:
        return value
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:  # int() refuses thousands of digits
        return int(value)
    raise BoardError(_("“%(value)s” is not a tier.") % {"value": str(value)[:40]})


def _from_plain_form(request: HttpRequest) -> dict[str, Any]:
    """The same values where the page runs without JavaScript."""
    post = request.POST
    # The form sends an empty note for each completion that nobody said anything of.
    rated = {key.split(":", 1)[1] for key in post if key.startswith(("overall:", "flag:", "note:")) and post[key]}
    return {
        **{name: value for name, value in post.items() if ":" not in name},
        "shelves": {key.split(":", 1)[1]: value for key, value in post.items() if key.startswith("shelf:")},
        "strengths": {key.split(":", 1)[1]: value for key, value in post.items() if key.startswith("strength:")},
        "ratings": {
            identifier: {
                "overall": post.get(f"overall:{identifier}"),
                "flags": post.getlist(f"flag:{identifier}"),
                "note": post.get(f"note:{identifier}"),
            }
            for identifier in rated
        },
    }
