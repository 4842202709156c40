"""The pool of prompts: which prompt a trainer is offered next, and how passing prompts affects the order."""

from collections import Counter

from django.db import transaction
from django.db.models import BooleanField, Case, Exists, OuterRef, Value, When

from labeling.models import AuditEvent, Dialogue, PassedPrompt, Project, Prompt, User
from labeling.models.random_order import shuffled


def next_prompt(project: Project, *, by: User) -> Prompt | None:
    """A prompt that no dialogue, or only withdrawn ones, was written on and this trainer has not passed, else None.

    The order is random but fixed for each trainer. If the trainer chose topics, only prompts of these, or without
    a topic, are offered. Topics that they passed more often than they took come last. An archived project offers
    none.
    """
    if project.why_no_new_work:
        return None
    written = Dialogue.objects.filter(prompt=OuterRef("pk")).exclude(state=Dialogue.State.WITHDRAWN)
    passed = PassedPrompt.objects.filter(prompt=OuterRef("pk"), trainer=by)
    prompts = Prompt.objects.in_use().filter(~Exists(written), ~Exists(passed), project=project)
    if by.topics:
        prompts = prompts.filter(topic__in=[*by.topics, ""])
    avoided = _avoided_topics(project, by)
    if not avoided:  # the CASE below would be a constant, and PostgreSQL refuses to order by a constant
        return prompts.order_by(shuffled(by.id)).first()
    is_avoided = Case(When(topic__in=avoided, then=Value(True)), default=Value(False), output_field=BooleanField())
    return prompts.order_by(is_avoided, shuffled(by.id)).first()


def pass_prompt(prompt: Prompt, *, by: User) -> None:
    """Never offer this prompt to this trainer again, and offer its topic later. Passing it twice counts once."""
    with transaction.atomic():
        _passed, created = PassedPrompt.objects.get_or_create(prompt=prompt, trainer=by)
        if created:
            AuditEvent.note("pass prompt", prompt, by=by, topic=prompt.topic)


def pool_topics(project: Project, *, with_retired: bool = False) -> list[str]:
    """The topics of the prompts in use, in alphabetical order; `with_retired` adds those of retired prompts."""
    prompts = Prompt.objects.all() if with_retired else Prompt.objects.in_use()
    topics = prompts.filter(project=project).exclude(topic="").values_list("topic", flat=True)
    return list(topics.distinct().order_by("topic"))


def _avoided_topics(project: Project, by: User) -> list[str]:
    """The topics of which this trainer passed more prompts than they wrote dialogues on."""
    passes = PassedPrompt.objects.filter(trainer=by, prompt__project=project).exclude(prompt__topic="")
    taken = Dialogue.objects.filter(author=by, project=project, prompt__isnull=False).exclude(prompt__topic="")
    balance = Counter(passes.values_list("prompt__topic", flat=True))
    balance.subtract(taken.values_list("prompt__topic", flat=True))
    return sorted(topic for topic, excess in balance.items() if excess > 0)
