"""The pool of prompts: which one a trainer is offered next, and what "not my topic" teaches."""

from collections import Counter

from django.db import transaction
from django.db.models import BooleanField, Case, Exists, OuterRef, Value, When

from labeling.models import AuditEvent, Dialogue, PassedPrompt, Project, Prompt, User
from labeling.models.random_order import shuffled


def next_prompt(project: Project, *, by: User) -> Prompt | None:
    """A prompt that nobody has written on and that this trainer has not passed, in a random order of their own.

    Only of topics that they chose, if they chose any; topics that they pass more often than they take come last.
    An archived project offers none.
    """
    if project.why_no_new_work:
        return None
    written = Dialogue.objects.filter(prompt=OuterRef("pk")).exclude(state=Dialogue.State.WITHDRAWN)
    passed = PassedPrompt.objects.filter(prompt=OuterRef("pk"), trainer=by)
    prompts = Prompt.objects.in_use().filter(~Exists(written), ~Exists(passed), project=project)
    if by.topics:
        prompts = prompts.filter(topic__in=[*by.topics, ""])
    unloved = _unloved_topics(project, by)
    if not unloved:  # PostgreSQL refuses to order by what would then be a constant
        return prompts.order_by(shuffled(by.id)).first()
    passed_over = Case(When(topic__in=unloved, then=Value(True)), default=Value(False), output_field=BooleanField())
    return prompts.order_by(passed_over, shuffled(by.id)).first()


def not_my_topic(prompt: Prompt, *, by: User) -> None:
    """Pass a prompt: it is not offered to this trainer again, and its topic less."""
    with transaction.atomic():
        _passed, created = PassedPrompt.objects.get_or_create(prompt=prompt, trainer=by)
        if created:
            AuditEvent.note("pass prompt", prompt, by=by, topic=prompt.topic)


def pool_topics(project: Project, *, with_retired: bool = False) -> list[str]:
    """The topics that this project's pool has, in alphabetical order."""
    prompts = Prompt.objects.all() if with_retired else Prompt.objects.in_use()
    topics = prompts.filter(project=project).exclude(topic="").values_list("topic", flat=True)
    return list(topics.distinct().order_by("topic"))


def _unloved_topics(project: Project, by: User) -> list[str]:
    passes = PassedPrompt.objects.filter(trainer=by, prompt__project=project).exclude(prompt__topic="")
    taken = Dialogue.objects.filter(author=by, project=project, prompt__isnull=False).exclude(prompt__topic="")
    balance = Counter(passes.values_list("prompt__topic", flat=True))
    balance.subtract(taken.values_list("prompt__topic", flat=True))
    return sorted(topic for topic, excess in balance.items() if excess > 0)
