"""What people wrote beside their work, in one place: notes on rankings and comments on messages."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from labeling.models import Comment, Comparison, Dialogue, Lease, Project, Ranking, User

_MAY_COME_AGAIN = (Lease.State.OPEN, Lease.State.EXPIRED)  # states of a lease whose holder has not ranked


def notes_on_rankings(project: Project, *, reader: User) -> QuerySet[Ranking]:
    """Rankings that count and have a note, of comparisons that this person will not be asked to rank any more.

    Who has read what others say of a comparison would no longer rank it independently.
    """
    done = Lease.objects.filter(comparison=OuterRef("comparison"), trainer=reader).exclude(state__in=_MAY_COME_AGAIN)
    is_asked_again = Lease.objects.filter(comparison=OuterRef("comparison"), trainer=reader, state__in=_MAY_COME_AGAIN)
    over = ~Q(comparison__state=Comparison.State.OPEN) & ~Exists(is_asked_again)
    return _with_note(project).filter(over | Exists(done))


def num_kept_back(project: Project, *, reader: User) -> int:
    """Number of notes that this person cannot read yet."""
    return _with_note(project).count() - notes_on_rankings(project, reader=reader).count()


def comments_on_messages(project: Project) -> QuerySet[Comment]:
    """Comments on dialogues that are not withdrawn."""
    return Comment.objects.filter(project=project).exclude(dialogue__state=Dialogue.State.WITHDRAWN)


def _with_note(project: Project) -> QuerySet[Ranking]:
    rows = Ranking.objects.filter(comparison__project=project, retracted_at=None).exclude(note="")
    return rows.exclude(comparison__state=Comparison.State.WITHDRAWN)
