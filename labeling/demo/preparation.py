"""The demo's first steps: a platform of its own, the policy, and the project with its prompts."""

import json
import random
from typing import Any

from django.core.management import call_command

from labeling.demo import workspace
from labeling.demo.polling import StepFailed
from labeling.demo.state import Loop
from labeling.demo.workers import await_workers
from labeling.imports import FileRefused, ImportReport, import_dialogues, import_rankings
from labeling.imports.formats import chitchat
from labeling.models import Dialogue, Membership, Policy, Prompt, User
from labeling.projects.first_project import ensure_starting_project
from labeling.sampling.policies import register_policy

NUM_TURNS = 3  # of a conversation that become a prompt, which ends with the first speaker's second message
SHORTEST_OPENING = 60  # characters; "Hi!", "Hello.", "Hi!" gives nothing to answer
TRAINER = "simulated-trainer"


def prepare(loop: Loop) -> str:
    """Create the tables, put the policy into the store, and wait for the workers."""
    call_command("migrate", interactive=False, verbosity=0)
    loop.show(0.1, "the policy")
    store_path = workspace.install_policy(loop.options.policy)
    loop.start = register_policy(store_path, note="The demo begins with it.")
    await_workers(lambda fraction, note: loop.show(0.2 + 0.8 * fraction, note))
    return f"policy {loop.start.name}; database, broker and workers of the demo's own"


def import_prompts(loop: Loop) -> str:
    """The project with its seed, and openings of human conversations as prompts."""
    options, project = loop.options, ensure_starting_project()
    project.policy, project.num_completions, project.max_new_tokens = (
        loop.start,
        options.completions,
        options.new_tokens,
    )
    project.temperature = 1.0  # as PPO samples; the project's own mixture is meant for people
    project.mixture_parts.all().delete()
    project.comparisons_ready = 0  # the demo makes its own comparisons; the sweep must not add any
    project.grace_minutes = 0  # so that rankings can be exported at once
    changed = ["policy", "num_completions", "max_new_tokens", "temperature", "comparisons_ready", "grace_minutes"]
    project.save(update_fields=changed)
    project.rounds.filter(closed_at=None).update(policy=loop.start, seed=options.seed)
    Policy.objects.filter(id=loop.start.id).update(state=Policy.State.PROMOTED)
    loop.project, loop.trainer = project, _simulated_trainer()
    Membership.objects.get_or_create(project=project, user=loop.trainer)
    report = _import_conversations(loop)
    num_seed = Dialogue.objects.filter(project=project, kind=Dialogue.Kind.IMPORTED).count()
    num_prompts = Prompt.objects.filter(project=project).count()
    loop.sizes |= {"prompts": num_prompts, "seed dialogues": num_seed}
    return f"{num_prompts} prompts, {report.imported} of them openings of human conversations; {num_seed} dialogues"


def import_human_rankings(loop: Loop) -> str:
    """Import people's rankings, in place of the simulated trainer's."""
    path = loop.options.rankings
    assert path is not None
    try:
        report = import_rankings(
            path, project=loop.project, by=None, limit=loop.options.ranking_entries, on_progress=_shown(loop)
        )
    except FileRefused as error:
        raise StepFailed(str(error)) from error
    if report.stopped:
        raise StepFailed(f"{path.name}:{report.refused[0].line}: {report.refused[0].reason}{_more(report)}")
    if not report.imported:
        raise StepFailed(f"{path.name} ({report.format}) holds no rankings.")
    loop.sizes["rankings"] = report.imported
    return f"{report.imported} rankings by people from {path.name} ({report.format})"


def draw_conversations(whole: dict[str, Any], *, num: int, seed: int, longest: int) -> dict[str, Any]:
    """`num` conversations whose opening has between SHORTEST_OPENING and `longest` characters; a pure function."""
    usable = [key for key in sorted(whole) if SHORTEST_OPENING <= _length_of_opening(whole[key]) <= longest]
    chosen = random.Random(f"conversations/{seed}").sample(usable, min(num, len(usable)))
    return {key: whole[key] for key in chosen}


def _import_conversations(loop: Loop) -> ImportReport:
    path = chitchat.dataset_path()
    if path is None:
        raise StepFailed("The wheel chitchat-dataset is not installed; run: pip install chitchat-dataset")
    whole = json.loads(path.read_text(encoding="utf-8"))
    drawn = draw_conversations(
        whole, num=loop.options.conversations, seed=loop.options.seed, longest=loop.options.prompt_characters
    )
    chosen = workspace.demo_folder() / "chitchat-dataset.json"
    chosen.write_text(json.dumps(drawn, ensure_ascii=False), encoding="utf-8")
    report = import_dialogues(
        chosen,
        project=loop.project,
        by=None,
        format="chitchat",
        on_error="skip",  # some conversations have half a surrogate pair of an emoji
        into_prompts=True,
        num_turns=2,
        on_progress=_shown(loop),
    )
    if loop.options.conversations and not report.imported:
        raise StepFailed(f"None of {report.num_refused} conversations could be imported.")
    return report


def _simulated_trainer() -> User:
    """The simulated trainer's account. It has no password, so nobody can sign in as it."""
    user = User.objects.filter(username=TRAINER).first()
    return user or User.objects.create_user(
        TRAINER, None, role=User.Role.TRAINER, display_name="Simulated trainer", is_simulated=True
    )


def _length_of_opening(conversation: dict[str, Any]) -> int:
    """Characters up to the first speaker's second message; 0 where the two speakers do not get that far."""
    turns = [turn for turn in conversation.get("messages", []) if turn]
    senders = [turn[0].get("sender") for turn in turns[:NUM_TURNS]]
    if len(senders) < NUM_TURNS or senders[0] != senders[2] or senders[0] == senders[1]:
        return 0
    return sum(len(message.get("text", "")) for turn in turns[:NUM_TURNS] for message in turn)


def _shown(loop: Loop) -> Any:
    return lambda fraction, report: loop.show(min(fraction, 0.99), f"{report.imported:,} imported")


def _more(report: ImportReport) -> str:
    others = report.num_refused - 1
    return f" (and {others} more)" if others else ""
