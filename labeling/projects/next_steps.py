"""What waits for a person in each of their projects, and the one next step in each.

The counts of all projects are read together: a page of many projects costs no more queries than a page of one.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labeling.models import Comparison, Dialogue, GuidelineVersion, Lease, Membership, Project, User
from labeling.sampling.progress import coming_in_words

MOST_COUNTED = 100  # comparisons; a longer queue is shown as "99+" instead of counting a million rows


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to do: `sentence` says why, `label` is the button, `url` where it leads."""

    sentence: str
    label: str
    url: str


@dataclass(kw_only=True)
class ProjectStatus:
    """One person's counts in one project."""

    guidelines: int = 0  # the newest version; 0 where there is none
    guidelines_read: int = 0
    num_members: int = 0
    dialogues: dict[str, int] = field(default_factory=dict)  # the person's own, by state
    num_to_review: int = 0
    practice_waits: bool = False
    holds_lease: bool = False
    comparisons_wait: bool = False
    coming: str = ""  # how many comparisons are being sampled; the page of one project says when, too

    def num_dialogues(self, state: str) -> int:
        return self.dialogues.get(state, 0)


def project_statuses(projects: Sequence[Project], *, user: User) -> dict[Any, ProjectStatus]:
    """The status of each project for this person, by project id."""
    found: dict[Any, ProjectStatus] = defaultdict(ProjectStatus)
    ids = [project.pk for project in projects]
    newest = GuidelineVersion.objects.filter(project__in=ids).values("project").annotate(newest=Max("version"))
    for pk, version in newest.values_list("project", "newest"):
        found[pk].guidelines = version
    memberships = Membership.objects.filter(project__in=ids, user=user)
    unpractised_in = []
    for pk, version, practised_at in memberships.values_list("project", "guidelines_read", "practised_at"):
        found[pk].guidelines_read = version
        unpractised_in += [pk] * (practised_at is None)
    for pk in _with_practice(unpractised_in, user=user).values_list("pk", flat=True):
        found[pk].practice_waits = True
    members = Membership.objects.filter(project__in=ids).values("project").annotate(num=Count("pk"))
    for pk, num in members.values_list("project", "num"):
        found[pk].num_members = num
    mine = Dialogue.objects.filter(project__in=ids, author=user, kind=Dialogue.Kind.DEMONSTRATION)
    for pk, state, num in (
        mine.values("project", "state").annotate(num=Count("pk")).values_list("project", "state", "num")
    ):
        found[pk].dialogues[state] = num
    waiting = Dialogue.objects.awaiting_review_by(user).filter(project__in=ids)
    for pk, num in waiting.values("project").annotate(num=Count("pk")).values_list("project", "num"):
        found[pk].num_to_review = num
    held = Lease.objects.filter(trainer=user, state=Lease.State.OPEN, expires_at__gt=Now())
    for pk in held.filter(comparison__project__in=ids).values_list("comparison__project", flat=True):
        found[pk].holds_lease = True
    waiting_here = Comparison.objects.rankable_by(user).filter(project=OuterRef("pk"))
    with_queue = Project.objects.filter(Exists(waiting_here), pk__in=ids)
    for pk in with_queue.values_list("pk", flat=True):
        found[pk].comparisons_wait = True
    sampling = Comparison.objects.filter(project__in=ids, state=Comparison.State.SAMPLING, use=Comparison.Use.WORK)
    for pk, num in sampling.order_by().values("project").annotate(num=Count("pk")).values_list("project", "num"):
        found[pk].coming = coming_in_words(num)
    return found


def _with_practice(ids: Sequence[Any], *, user: User) -> QuerySet[Project]:
    """Projects whose practice set this person should do now: it is required, or they have not ranked there yet."""
    practice = Comparison.objects.unpractised_by(user).filter(project=OuterRef("pk"))
    begun = Lease.objects.filter(trainer=user, comparison__project=OuterRef("pk"))
    return Project.objects.current().filter(Q(practice_required=True) | ~Exists(begun), Exists(practice), pk__in=ids)


def num_to_rank(project: Project, *, user: User) -> str:
    """How many comparisons of a project this person could rank, as text: at most "99+"."""
    num = Comparison.objects.rankable_by(user).filter(project=project)[:MOST_COUNTED].count()
    return f"{MOST_COUNTED - 1}+" if num == MOST_COUNTED else str(num)


def next_step(project: Project, status: ProjectStatus, *, user: User) -> Step:
    """The one next step for this person in this project."""
    if project.why_no_new_work:
        return _finish(project, status, user)
    if user.is_admin and (step := _setting_up(project, status)):
        return step
    if status.guidelines > status.guidelines_read and not user.is_admin:
        return _read_guidelines(project, status)
    if user.can_write_and_rank and status.practice_waits:
        return _practise(project)
    if user.can_review and status.num_to_review:
        return _review(project, status)
    if user.can_write_and_rank:
        return _write_or_rank(project, status)
    return Step(
        sentence=_("From here the loop is trained: export, reward model, PPO, promote."),
        label=_("See the round"),
        url=reverse("rounds", args=(project.slug,)),
    )


def _finish(project: Project, status: ProjectStatus, user: User) -> Step:
    """In an archived project: finish what is begun, or read what is there."""
    in_hand = status.num_dialogues(Dialogue.State.RETURNED) or status.num_dialogues(Dialogue.State.DRAFT)
    if user.can_write_and_rank and (status.holds_lease or in_hand):
        return _write_or_rank(project, status)
    sentence = _("What was made here can still be read.")
    if user.can_train_models:
        return Step(sentence=sentence, label=_("Its data"), url=reverse("data", args=(project.slug,)))
    return Step(sentence=sentence, label=_("My work"), url=reverse("history"))


def _setting_up(project: Project, status: ProjectStatus) -> Step | None:
    slug = (project.slug,)
    if not status.guidelines:
        return Step(
            sentence=_("Nobody knows yet what a good answer is."),
            label=_("Write the guidelines"),
            url=reverse("edit_guidelines", args=slug),
        )
    if project.policy_id is None:
        return Step(
            sentence=_("No policy answers in this project yet."),
            label=_("Choose a policy"),
            url=reverse("project_settings", args=slug),
        )
    if not status.num_members:
        return Step(
            sentence=_("The project is ready, but nobody works in it yet."),
            label=_("Choose its people"),
            url=reverse("project_people", args=slug),
        )
    return None


def _read_guidelines(project: Project, status: ProjectStatus) -> Step:
    first = status.guidelines_read == 0
    return Step(
        sentence=_("Before you begin: what a good answer is, in this project.")
        if first
        else _("The guidelines changed since you read them."),
        label=_("Read the guidelines"),
        url=reverse("guidelines", args=(project.slug,)),
    )


def _practise(project: Project) -> Step:
    return Step(
        sentence=_("Before real work: comparisons whose order is known, each explained at once."),
        label=_("Practise"),
        url=reverse("practice", args=(project.slug,)),
    )


def _review(project: Project, status: ProjectStatus) -> Step:
    num = status.num_to_review
    return Step(
        sentence=ngettext("%(n)d dialogue waits for your review.", "%(n)d dialogues wait for your review.", num)
        % {"n": num},
        label=_("Review"),
        url=reverse("review", args=(project.slug,)),
    )


def _write_or_rank(project: Project, status: ProjectStatus) -> Step:
    slug = (project.slug,)
    returned = status.num_dialogues(Dialogue.State.RETURNED)
    drafts = status.num_dialogues(Dialogue.State.DRAFT)
    if returned:
        sentence = ngettext(
            "A reviewer returned %(n)d dialogue to you.", "A reviewer returned %(n)d dialogues to you.", returned
        )
        return Step(sentence=sentence % {"n": returned}, label=_("Look again"), url=reverse("write", args=slug))
    if status.holds_lease:
        return Step(
            sentence=_("A comparison is reserved for you."), label=_("Go on ranking"), url=reverse("rank", args=slug)
        )
    if status.comparisons_wait:
        return Step(sentence=_("Comparisons wait to be ranked."), label=_("Rank"), url=reverse("rank", args=slug))
    if drafts:
        sentence = ngettext("You have %(n)d draft.", "You have %(n)d drafts.", drafts) % {"n": drafts}
        return Step(sentence=_meanwhile(status, sentence), label=_("Write on"), url=reverse("write", args=slug))
    return Step(
        sentence=_meanwhile(status, _("Show the policy what a good answer is: write a dialogue.")),
        label=_("Write"),
        url=reverse("write", args=slug),
    )


def _meanwhile(status: ProjectStatus, sentence: str) -> str:
    """What to do while there is nothing to rank, after what is coming."""
    return f"{status.coming} {sentence}" if status.coming else sentence
