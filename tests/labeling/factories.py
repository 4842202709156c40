"""The cast of the platform's tests, and factories for what they work on.

Alice and Bob train, Rita reviews, Adam administers, Erin engineers, Charlie is a stranger to the project.
Every factory takes keywords only and makes a row that makes sense; say what your test is about.
"""

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labeling.accounts.users import TOURS
from labeling.models import (
    Comparison,
    Completion,
    Dialogue,
    GuidelineVersion,
    Lease,
    Membership,
    Message,
    Policy,
    Project,
    Prompt,
    Reference,
    Round,
    SamplingRun,
    Thumb,
    User,
)
from labeling.models.content_hash import fingerprint
from records import publish_directory

CAST = {
    "alice": User.Role.TRAINER,
    "bob": User.Role.TRAINER,
    "rita": User.Role.REVIEWER,
    "adam": User.Role.ADMIN,
    "erin": User.Role.ENGINEER,
    "charlie": User.Role.TRAINER,
}
PASSWORD = "correct horse battery staple"
QUESTION = "What is the capital of France?"


def make_user(
    *,
    username: str | None = None,
    role: str | None = None,
    projects: Sequence[Project] = (),
    password: str | None = None,
    **fields: Any,
) -> User:
    """A person of the cast, a member of `projects`. Without a password, which takes time to hash, nobody signs in.

    They have seen the tours, which would stand before whatever a test looks at; `preferences={}` is a newcomer.
    """
    name = username or f"user-{uuid.uuid4().hex[:10]}"
    role = role or CAST.get(name, User.Role.TRAINER)
    user = User.objects.create_user(
        name, password, role=role, **{"display_name": name.title(), "preferences": {"tours": list(TOURS)}, **fields}
    )
    Membership.objects.bulk_create(Membership(project=project, user=user) for project in projects)
    return user


def make_users(*, num: int, project: Project) -> list[User]:
    """Trainers of a project who never sign in: no password is hashed, so a hundred are quick."""
    users = User.objects.bulk_create(
        User(username=f"user-{uuid.uuid4().hex[:10]}", password="!", role=User.Role.TRAINER) for _ in range(num)
    )
    Membership.objects.bulk_create(Membership(project=project, user=user) for user in users)
    return users


def make_policy(*, name: str | None = None, **fields: Any) -> Policy:
    name = name or f"policy-{uuid.uuid4().hex[:10]}"
    return Policy.objects.create(name=name, **{"store_path": f"policies/{name}", "manifest_sha256": "0" * 64, **fields})


def make_served_policy(*, name: str = "served") -> Policy:
    """A policy that another server samples for; it has no files."""
    server = {"server_kind": "vllm", "server_url": "http://gpu1:8000/v1", "server_model": name}
    return make_policy(name=name, backend=Policy.Backend.OPENAI, store_path="", **server)


def publish_policy(store: Path, name: str, *, weights: str = "weights") -> str:
    """The files of a policy, which no row knows yet; returns the hash of their manifest."""
    staging = store / "staging"
    staging.mkdir()
    (staging / "config.json").write_text("{}")
    (staging / "model.safetensors").write_text(weights)
    return publish_directory(staging, store / "policies" / name)


def make_project(*, slug: str | None = None, policy: Policy | None = None, **fields: Any) -> Project:
    """A project with a policy, its first guidelines and its first round."""
    slug = slug or f"project-{uuid.uuid4().hex[:10]}"
    policy = policy or make_policy()
    project = Project.objects.create(slug=slug, policy=policy, **{"name": slug.title(), "lease_minutes": 30, **fields})
    GuidelineVersion.objects.create(project=project, version=1, text="Be helpful, honest and harmless.")
    Round.objects.create(project=project, number=1, policy=policy, seed=1)
    return project


def make_prompt(*, project: Project, content: str | None = None, **fields: Any) -> Prompt:
    messages = [{"role": "user", "content": content or f"Tell me about {uuid.uuid4().hex[:8]}."}]
    return Prompt.objects.create(project=project, messages=messages, content_sha256=fingerprint(messages), **fields)


def make_dialogue(
    *,
    project: Project,
    author: User | None = None,
    turns: Sequence[tuple[str, str, str]] = (("user", QUESTION, "typed"), ("assistant", "Paris.", "typed")),
    **fields: Any,
) -> Dialogue:
    """A dialogue of (role, content, authorship); what a policy wrote is by the project's."""
    dialogue = Dialogue.objects.create(
        project=project, author=author, **{"kind": Dialogue.Kind.DEMONSTRATION, "state": Dialogue.State.DRAFT, **fields}
    )
    Message.objects.bulk_create(
        Message(
            dialogue=dialogue,
            position=position,
            role=role,
            content=content,
            authorship=authorship,
            policy=project.policy if authorship == "policy" else None,
        )
        for position, (role, content, authorship) in enumerate(turns)
    )
    return dialogue


def make_chat(*, project: Project, author: User | None = None, num_turns: int = 1, **fields: Any) -> Dialogue:
    """A chat of `num_turns` questions, each answered by the project's policy."""
    turns = [
        turn
        for number in range(num_turns)
        for turn in (("user", f"Question {number}?", "typed"), ("assistant", f"Answer {number}.", "policy"))
    ]
    return make_dialogue(project=project, author=author, turns=turns, kind=Dialogue.Kind.CHAT, **fields)


def make_comparison(*, project: Project, num_completions: int = 4, **fields: Any) -> Comparison:
    """A comparison that is open, with its completions."""
    return make_comparisons(project=project, num=1, num_completions=num_completions, **fields)[0]


def make_comparisons(*, project: Project, num: int, num_completions: int = 4, **fields: Any) -> list[Comparison]:
    """Open comparisons, in two statements however many."""
    wanted = fields.pop("rankings_wanted", project.rankings_wanted)
    messages = [{"role": "user", "content": QUESTION}]
    values = {
        "state": Comparison.State.OPEN,
        "messages": messages,
        "prompt_sha256": fingerprint(messages),
        "rankings_wanted": wanted,
        "open_slots": wanted,
        **fields,
    }
    comparisons = Comparison.objects.bulk_create(Comparison(project=project, **values) for _ in range(num))
    Completion.objects.bulk_create(
        Completion(comparison=comparison, index=index, content=f"Answer {index}.", policy=project.policy)
        for comparison in comparisons
        for index in range(num_completions)
    )
    return comparisons


def make_reference(*, project: Project, use: str = "gold", **fields: Any) -> Reference:
    """A practice or gold comparison whose known order is that of its completions, the first one best."""
    comparison = make_comparison(project=project, use=use, open_slots=0)
    tiers = [[str(completion.id)] for completion in comparison.completions.order_by("index")]
    values = {"tiers": tiers, "lesson": "The first is best", "explanation": "Each is *worse* than the one before."}
    return Reference.objects.create(comparison=comparison, **values | fields)


def make_thumb(*, project: Project, content: str = "Rome.", up: bool = False, **fields: Any) -> Thumb:
    messages = [{"role": "user", "content": QUESTION}]
    values = {"messages": messages, "content_sha256": uuid.uuid4().hex * 2, **fields}
    return Thumb.objects.create(project=project, content=content, up=up, **values)


def make_run(*, project: Project, **fields: Any) -> SamplingRun:
    assert project.policy is not None
    values = {
        "purpose": SamplingRun.Purpose.SUGGESTION,
        "policy": project.policy,
        "messages": [{"role": "user", "content": QUESTION}],
        "num_completions": 1,
        "sampling": {"temperature": 1.0, "max_new_tokens": 16, "seed": 1},
        **fields,
    }
    return SamplingRun.objects.create(project=project, **values)


def places_of(comparison: Comparison) -> tuple[int, int, int, int]:
    """(wanted, open slots, open leases, rankings that count) as they stand; their sum rule is the queue's law."""
    comparison.refresh_from_db()
    return (
        comparison.rankings_wanted,
        comparison.open_slots,
        comparison.leases.filter(state=Lease.State.OPEN).count(),
        comparison.rankings.filter(retracted_at=None).count(),
    )
