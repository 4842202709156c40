"""The sections of a project on its page: each with its purpose and its one important number."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labeling.models import Dialogue, Project, User
from labeling.projects.next_steps import ProjectStatus, num_to_rank


@dataclass(frozen=True, kw_only=True)
class Section:
    label: str
    url: str
    number: str
    unit: str
    sentence: str


def sections(project: Project, status: ProjectStatus, *, user: User) -> list[Section]:
    """The sections that this person's role opens, in the order of the loop."""
    found = []
    if user.can_write_and_rank:
        found += [_write(project, status), _chat(project, user), _rank(project, user)]
    if user.can_review:
        found.append(_review(project, status))
    if user.can_train_models:
        found += [_data(project), _rounds(project)]
    return found


def _write(project: Project, status: ProjectStatus) -> Section:
    num = status.num_dialogues(Dialogue.State.DRAFT) + status.num_dialogues(Dialogue.State.RETURNED)
    return Section(
        label=_("Write"),
        url=reverse("write", args=(project.slug,)),
        number=str(num),
        unit=ngettext("draft of mine", "drafts of mine", num),
        sentence=_("Write both sides of a dialogue, with the policy's suggestions beside you."),
    )


def _chat(project: Project, user: User) -> Section:
    num = project.dialogues.filter(author=user, kind=Dialogue.Kind.CHAT, state=Dialogue.State.DRAFT).count()
    return Section(
        label=_("Chat"),
        url=reverse("chat", args=(project.slug,)),
        number=str(num),
        unit=ngettext("chat of mine", "chats of mine", num),
        sentence=_("Talk to the policy; its answers become comparisons."),
    )


def _rank(project: Project, user: User) -> Section:
    num = num_to_rank(project, user=user)
    return Section(
        label=_("Rank"),
        url=reverse("rank", args=(project.slug,)),
        number=num,
        unit=_("waiting"),
        sentence=_("Put completions of one prompt in order, best first."),
    )


def _review(project: Project, status: ProjectStatus) -> Section:
    return Section(
        label=_("Review"),
        url=reverse("review", args=(project.slug,)),
        number=str(status.num_to_review),
        unit=_("waiting"),
        sentence=_("Accept what others wrote, or return it with a comment."),
    )


def _data(project: Project) -> Section:
    num = project.exports.count()
    return Section(
        label=_("Data"),
        url=reverse("data", args=(project.slug,)),
        number=str(num),
        unit=ngettext("export", "exports", num),
        sentence=_("Bring dialogues in, take demonstrations and rankings out."),
    )


def _rounds(project: Project) -> Section:
    current = project.current_round
    return Section(
        label=_("Rounds"),
        url=reverse("rounds", args=(project.slug,)),
        number=str(current.number if current else 0),
        unit=_("is the round"),
        sentence=_("Reward model, PPO, compare, promote, and begin again."),
    )
