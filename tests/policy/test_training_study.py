"""The study of trainings in small: cells in any order, killed and gone on, and a report that says what is missing."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import study_training
from benchmarks.cells import Study
from benchmarks.study_report import report_text
from benchmarks.study_settings import ABLATIONS, BUNDLED, SMALL, StudySettings
from benchmarks.study_training import lacks_options
from benchmarks.training_study import TrainingStudyConfig, main, open_study
from language.options import OptionError
from policy import ppo
from policy.rollout import collect_rollouts

SETTINGS = replace(
    SMALL,
    rankings=(4, 12),
    seeds=(0, 1),
    num_train=12,
    num_held_out=8,
    best_of=4,
    num_answers=1,
    max_new_tokens=12,
    reward={"epochs": 1, "batch_size": 4, "lr": 5e-4},
    ppo={
        **SMALL.ppo,
        "updates": 2,
        "rollouts_per_update": 8,
        "minibatch_size": 8,
        "microbatch_size": 8,
        "max_new_tokens": 12,
    },
    look_every=1,
    methods={"ppo": replace(SMALL.methods["ppo"], amounts=(1, 2), options={"max_new_tokens": 12, "lr": 1e-3})},
    start={"conversations": 30, "layers": 1, "hidden": 32, "vocab_size": 400, "epochs": 1, "lr": 3e-3},
)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with its start, its rankings and one size of reward models."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("study")
    study = open_study(folder, SETTINGS)
    for cell in ("reward-4-1", "reward-4-0", "best-of-n-4-0", "best-of-n-4-1"):
        study.make(cell)
    return folder


@pytest.fixture
def study(begun: Path, tmp_path: Path) -> Study:
    """A copy, whose cells a test may make."""
    return open_study(Path(shutil.copytree(begun, tmp_path / "study")), SETTINGS)


def test_reward_models_of_two_seeds_learn_from_rankings_of_their_own(study: Study) -> None:
    data = [(study.folder / "rewards" / f"rankings-4-{seed}.jsonl").read_text().splitlines() for seed in (0, 1)]
    train, others = (
        [{line for line in lines if ('"split":"train"' in line) is learnt} for lines in data]
        for learnt in (True, False)
    )
    assert [len(lines) for lines in train] == [4, 4]
    assert train[0] != train[1]
    assert others[0] == others[1] != set()


def test_a_training_killed_in_the_middle_goes_on_to_the_same_looks(
    study: Study, begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = open_study(Path(shutil.copytree(begun, tmp_path / "straight")), SETTINGS)
    straight.make("ppo-4-0")
    collect, calls = collect_rollouts, []

    def dying(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return collect(*arguments, **options)

    monkeypatch.setattr(ppo, "collect_rollouts", dying)
    with pytest.raises(KeyboardInterrupt):
        study.make("ppo-4-0")
    assert study.missing(["ppo-4-0"]) == ["ppo-4-0"]
    study.make("ppo-4-0")
    killed, whole = study.facts("ppo-4-0"), straight.facts("ppo-4-0")
    assert killed is not None
    assert whole is not None
    assert killed["looks"] == whole["looks"]
    assert [look["update"] for look in whole["looks"]] == [0, 1, 2]
    assert (killed["cpu_seconds"], whole["cpu_seconds"]) == (None, pytest.approx(whole["cpu_seconds"]))


def test_the_report_has_what_is_there_and_names_what_is_missing(study: Study) -> None:
    study.make("ppo-4-0")
    first = report_text(study, SETTINGS)
    assert "one seed: nothing is known of another" in first
    assert "| PPO, 12 rankings | missing |" in first
    assert "- `ppo-4-N`, N = 1\n" in first
    study.make("ppo-4-1")
    study.make("ablation-lambda-1-0")
    text = report_text(study, SETTINGS)
    row = next(line for line in text.splitlines() if line.startswith("| PPO, 4 rankings | 2 |"))
    assert " to " in row
    assert "| ppo | missing |" in text
    assert "- `answers-ppo-1-N`, N = 0, 1\n" in text
    assert "`ppo-4-N`" not in text
    assert "- `ablation-lambda-1-N`, N = 1\n" in text
    assert "--cell NAME" in text


def test_a_folder_of_other_settings_is_refused(begun: Path) -> None:
    with pytest.raises(OptionError, match="a study of other settings"):
        open_study(begun, replace(SETTINGS, seeds=(0, 1, 2)))


def test_the_status_makes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(TrainingStudyConfig(out=tmp_path / "study", status=True))
    assert "0 of " in capsys.readouterr().out
    assert not (tmp_path / "study" / "prompts.jsonl").exists()


def test_a_method_is_run_by_its_program_with_the_options_declared(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command alone: the programs have tests of their own, and starting them takes seconds."""
    commands: list[list[str]] = []
    monkeypatch.setattr(study_training, "run_program", lambda *parts: commands.append(list(map(str, parts))))
    study.make("reward-12-1")
    study.make("train-ppo-2-1")
    (command,) = commands
    assert command[0] == "policy.ppo"
    assert command[command.index("--updates") + 1] == "2"
    assert command[command.index("--reward") + 1].endswith("rewards/reward-12-1")
    assert command[command.index("--rollouts-per-update") + 1] == "8"


def test_every_ablation_changes_an_option_that_ppo_has() -> None:
    assert [lacks_options(changed) for changed in ABLATIONS.values()] == [""] * len(ABLATIONS)
    assert lacks_options({"no_such": 1}) == "PPO has no option no_such"


@pytest.mark.parametrize("settings", [SMALL, BUNDLED], ids=["small", "bundled"])
def test_every_size_declared_can_be_run(settings: StudySettings) -> None:
    assert settings.num_train >= max(settings.rankings)
    assert len(settings.rankings) >= 3
    assert len(settings.seeds) >= 3
    assert lacks_options(settings.ppo) == ""
