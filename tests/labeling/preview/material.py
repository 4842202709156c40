"""A preview and its visitors, for tests: what was asked is answered by the sampler's record."""

import re
import time
from typing import Any

from django.core import mail, signing
from django.test import Client

from labeling.dialogues.answers import record_completions
from labeling.models import (
    Consent,
    Dialogue,
    Message,
    Policy,
    Preview,
    PreviewTerms,
    Project,
    SamplingRun,
    User,
)
from labeling.preview import chatting
from labeling.preview import forms as preview_forms
from records import Completion, SampleResult
from tests.labeling.factories import make_policy, make_project

BOXES = {"adult": "on", "terms": "on"}


def make_preview(*, project: Project | None = None, second_policy: Policy | None = None, **fields: Any) -> Preview:
    project = project or make_project()
    values = {"slug": project.slug, "title": "Sprout", "is_open": True, **fields}
    preview = Preview.objects.create(project=project, second_policy=second_policy, **values)
    PreviewTerms.objects.create(preview=preview, version=1, text="Be careful.")
    return preview


def make_pair(**fields: Any) -> Preview:
    """A preview with two models."""
    return make_preview(second_policy=make_policy(), **fields)


def make_visitor(preview: Preview, *, email: str = "vera@example.org", training: bool = False) -> User:
    name = f"visitor-{User.objects.count()}"
    user = User.objects.create_user(name, None, role=User.Role.VISITOR, email=email)
    Consent.objects.create(user=user, preview=preview, terms_version=1, training=training, adult=True)
    return user


def opened(seconds_ago: float = 10.0) -> str:
    """The field of a form that was shown so long ago."""
    return signing.dumps(time.time() - seconds_ago, salt=preview_forms._OPENED)


def answer(run: SamplingRun, text: str = "Paris.", *, num_tokens: int = 5, **fields: Any) -> bool:
    """The sampler's result, as it comes back."""
    SamplingRun.objects.filter(pk=run.pk, state=SamplingRun.State.WAITING).update(state="sent", attempt=1)
    run.refresh_from_db()
    said = Completion(id="0", content=text, policy=run.policy.name, finish_reason="stop", num_tokens=num_tokens)
    return record_completions(
        SampleResult(run_id=str(run.pk), attempt=run.attempt, **{"completions": (said,), **fields})
    )


def chat(preview: Preview, by: User, *texts: str) -> Dialogue:
    """A chat in which each of the texts was said and answered."""
    first, *others = texts or ("Why?",)
    dialogue = chatting.begin(preview, content=first, with_two=False, by=by)
    answer_all(dialogue)
    for text in others:
        chatting.say(preview, dialogue, content=text, with_two=False, by=by)
        answer_all(dialogue)
    return dialogue


def answer_all(dialogue: Dialogue) -> None:
    waiting = dialogue.sampling_runs.filter(state__in=("waiting", "sent")).order_by("created_at")
    for place, run in enumerate(waiting):
        assert answer(run, f"Answer {place} to {run.messages[-1]['content']}")


def choice(preview: Preview, by: User, text: str = "Which?") -> Message:
    """Two answers, of which the first is chosen."""
    dialogue = chatting.begin(preview, content=text, with_two=True, by=by)
    answer_all(dialogue)
    return chatting.choose(dialogue, dialogue.comparisons.get().completions.order_by("run__created_at")[0], by=by)


def link_in(message: Any = None) -> str:
    """The path of the link in the newest mail."""
    body = str((message or mail.outbox[-1]).body)
    found = re.search(r"http://testserver(/\S+)", body)
    assert found is not None
    return found.group(1)


def sign_up(preview: Preview, email: str = "vera@example.org", **boxes: str) -> Client:
    """The browser of somebody who came in by the link."""
    client = Client()
    form = {"email": email, "opened": opened(), **BOXES, **boxes}
    assert client.post(f"/t/{preview.slug}/sign-up/", form).status_code == 302
    assert client.post(link_in()).status_code == 302
    return client
