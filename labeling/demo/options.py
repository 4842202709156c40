"""The options of a demo run. Each field is an option of `manage.py demo`."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints


@dataclass(frozen=True, slots=True)
class Option:
    """One option of the command line."""

    name: str
    default: Any
    help: str

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    @property
    def is_number(self) -> bool:
        return isinstance(self.default, int)


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoOptions:
    """The defaults are chosen for 20 minutes on two CPU cores, and for nothing else."""

    policy: Annotated[Path | None, "directory of the policy to begin with (default: the bundled one)"] = None
    rankings: Annotated[Path | None, "people's rankings, in place of the simulated trainer's"] = None
    seed: Annotated[int, "of every choice, every sample and every training run"] = 0

    conversations: Annotated[int, "openings of chitchat's conversations that become prompts"] = 300
    prompt_characters: Annotated[int, "longer prompts are left to people"] = 400
    comparisons: Annotated[int, "comparisons to be ranked"] = 100
    completions: Annotated[int, "completions of each comparison"] = 4
    new_tokens: Annotated[int, "longest completion, in tokens, when sampling and in PPO"] = 64
    ranking_entries: Annotated[int, "entries read of the file of --rankings, at most"] = 150

    sft_epochs: Annotated[int, "passes over the demonstrations"] = 1
    sft_batch: Annotated[int, "dialogues in an optimizer step"] = 8
    reward_epochs: Annotated[int, "passes over the rankings"] = 1
    reward_batch: Annotated[int, "rankings in an optimizer step"] = 4
    reward_tokens: Annotated[int, "prompt and completion together, as the reward model reads them"] = 320
    updates: Annotated[int, "updates of PPO"] = 5
    rollouts: Annotated[int, "completions in an update"] = 16
    minibatch: Annotated[int, "completions in an optimizer step of PPO"] = 8

    held_out: Annotated[int, "held-out prompts on which the policies are compared, at most"] = 50
    held_out_completions: Annotated[int, "answers of each policy to each of them"] = 2
    next_comparisons: Annotated[int, "comparisons of round two to begin with"] = 8

    @property
    def sizes(self) -> dict[str, int]:
        """Every number by its name, for the report and the terminal."""
        return {option.name.replace("_", " "): getattr(self, option.name) for option in options() if option.is_number}


def options() -> Iterator[Option]:
    """The options in the order of the fields."""
    hints = get_type_hints(DemoOptions, include_extras=True)
    for spec in fields(DemoOptions):
        yield Option(spec.name, spec.default, hints[spec.name].__metadata__[0])
