"""The state of a demo run: its options, its rows, and its results so far."""

from collections.abc import Callable
from dataclasses import dataclass, field

from labeling.demo.options import DemoOptions
from labeling.demo.polling import Show
from labeling.demo.report import PpoFigures, RewardModelFigures, SftFigures, SideBySide
from labeling.models import Export, Policy, Project, RewardModel, User
from labeling.models.projects import Round
from labeling.rounds.policy_evaluation import ComparisonFigures


def _show_nothing(fraction: float, note: str) -> None: ...


@dataclass(kw_only=True)
class Loop:
    """Each step reads what earlier steps left here and adds its own."""

    options: DemoOptions
    show: Show = _show_nothing  # shows the progress of the current step
    project: Project = field(init=False)
    trainer: User = field(init=False)
    start: Policy = field(init=False)
    exports: dict[str, Export] = field(default_factory=dict)
    sft_policy: Policy = field(init=False)
    reward_model: RewardModel = field(init=False)
    new_policy: Policy = field(init=False)
    next_round: Round | None = None
    sizes: dict[str, int] = field(default_factory=dict)
    sft: SftFigures | None = None
    reward: RewardModelFigures | None = None
    ppo: PpoFigures | None = None
    comparison: ComparisonFigures | None = None
    samples: tuple[SideBySide, ...] = ()


Work = Callable[[Loop], str]  # does a step and returns its summary; raises StepFailed
