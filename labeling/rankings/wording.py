"""Texts of the ranking screen that are not in its templates: choices of reasons, and the messages of rank.js.

They are functions, so that each call is in the language of the request.
"""

from django.utils.translation import gettext as _


def abstain_reasons() -> list[str]:
    """Reasons to abstain: the comparison is done for this trainer, without an order."""
    return [
        _("I do not know the subject well enough"),
        _("The prompt makes no sense"),
        _("They cannot be compared"),
        _("The text is in a language that I do not read"),
    ]


def skip_reasons() -> list[str]:
    """Reasons to skip: the comparison goes to somebody else."""
    return [
        _("Not my topic"),
        _("Too long for now"),
        _("I would rather not read this"),
        _("Something is broken"),
    ]


def layout_choices() -> list[tuple[str, str]]:
    return [("stacked", _("stacked")), ("columns", _("columns")), ("two", _("two at a time"))]


def strength_choices() -> list[tuple[int, str]]:
    """How much better a tier is than the next, as (stored value, words)."""
    return [(1, _("a little")), (2, _("clearly")), (3, _("far"))]


def ranking_words() -> dict[str, str]:
    """The texts that rank.js shows and announces by key; it fills in %s, %1 and %2."""
    return {
        "unranked": _("unranked"),
        "still_unranked": _("still unranked: %s"),
        "not_rated": _("not rated yet: %s"),
        "strength_missing": _("how much better? %s"),
        "better_than": _("%1 better than %2:"),
        "strength_is": _("%1 better than %2: %3"),
        "strength_unsaid": _("not said"),
        "no_gap": _("nothing is ranked above it"),
        "tier": _("tier %s"),
        "tied_with": _("tied with %s"),
        "unacceptable": _("unacceptable"),
        "undone": _("undone"),
        "sorted": _("placed by your ratings"),
        "found": _("%1 of %2"),
        "not_found": _("not found"),
        "choose_two": _("Choose two different ones."),
        "same_words": _("Word for word the same."),
        "differ": _("Words that differ: %1 in %2, %3 in %4."),
        "differ_widely": _("Too far apart to be laid beside each other. Words of one alone: %1 in %2, %3 in %4."),
        "expired": _("time is up; you can still submit while a place is free"),
        "contradiction": _("You rated %1 above %2, yet ranked %2 above %1."),
        "better_sending": _("handing in …"),
        "better_waiting": _("no connection; your text is kept here and will be handed in"),
        "better_look": _("Look at it, or take it back"),
        "better_discarded": _("Discarded. Undo (Ctrl Z) in the text brings it back."),
        "better_unsaved": _("A text that you wrote is not handed in yet. Hand it in, or discard it."),
        "state_saving": _("saving …"),
        "state_saved": _("saved %s"),
        "state_offline": _("no connection; kept in this browser"),
        "state_sending": _("no connection; your ranking is kept here and will be sent"),
        "state_signed_out": _("you are signed out; your work is kept here. Sign in in another tab, then submit again"),
        "state_refused": _("not saved yet"),
        "state_conflict": _("two boards: choose one"),
        "open_own": _("Open the ranking that counts"),
    }
