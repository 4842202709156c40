"""Who may enter a challenge: neither staff nor its jurors. Nothing is to be bought.

Staff is whoever accepts, exports, trains or sets up: their work is what the reports are about. Trainers are not.
"""

from django.utils.translation import gettext as _

from labeling.models import Challenge, User

STAFF = (User.Role.ADMIN, User.Role.REVIEWER, User.Role.ENGINEER)


def may_enter(user: object, challenge: Challenge) -> bool:
    """Whether this person could enter, whatever the date; nobody who is not signed in."""
    return isinstance(user, User) and not why_not(user, challenge)


def why_not(user: User, challenge: Challenge) -> str:
    """Why this person may not enter; empty if they may."""
    if user.role in STAFF:
        return _("Admins, reviewers and engineers are staff, and staff may not enter.")
    if user.is_simulated or not user.is_active:
        return _("This account may not enter.")
    if challenge.jurors.filter(user=user).exists():
        return _("You are a juror of this contest, and jurors may not enter it.")
    return ""
