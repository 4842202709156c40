"""What becomes of a training request: a command line, or a refusal that says what is wrong."""

import os
from pathlib import Path
from typing import Any, Literal, get_origin, get_type_hints

import pytest

from contentfilter.train import TrainConfig as FilterTrainConfig
from policy.dpo_config import DpoConfig
from policy.kto_config import KtoConfig
from policy.ppo_config import PpoConfig
from policy.rejection_sampling_config import RejectionSamplingConfig
from policy.rloo_config import RlooConfig
from policy.sft_config import SftConfig
from records import TrainingRequest
from records.types import TrainingKind
from rewardmodel.train_config import TrainConfig
from training.commands import MODULES, RequestError, command, job_folder, with_parent_watchdog
from training.options import FURTHER_PATHS, OPTIONS

CONFIGS: dict[TrainingKind, Any] = {
    "sft": SftConfig,
    "reward_model": TrainConfig,
    "ppo": PpoConfig,
    "rloo": RlooConfig,
    "dpo": DpoConfig,
    "kto": KtoConfig,
    "rejection_sampling": RejectionSamplingConfig,
    "filter": FilterTrainConfig,
}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for name in ("exports/e1", "policies/start", "rewardmodels/r1"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def make_request(**fields: Any) -> TrainingRequest:
    values = {
        "job_id": "j1",
        "attempt": 1,
        "kind": "sft",
        "data_path": "exports/e1",
        "model_path": "policies/start",
        "out_path": "policies/next",
        **fields,
    }
    return TrainingRequest(**values)


def line(store: Path, **fields: Any) -> list[str]:
    return command(make_request(**fields), store=store, work=store / "jobs/j1/work")


def test_each_kind_names_its_own_trainer_and_inputs(store: Path) -> None:
    assert line(store)[1:7] == [
        "-m",
        "policy.sft",
        "--data",
        f"{store}/exports/e1",
        "--model",
        f"{store}/policies/start",
    ]
    assert "rewardmodel.train" in line(store, kind="reward_model")
    for kind in ("dpo", "kto"):
        assert line(store, kind=kind)[2:7:2] == [f"policy.{kind}", f"{store}/exports/e1", f"{store}/policies/start"]
    for kind in ("ppo", "rloo", "rejection_sampling"):
        scored = line(store, kind=kind, reward_path="rewardmodels/r1")
        assert scored[2] == f"policy.{kind}"
        assert [scored[scored.index(flag) + 1] for flag in ("--prompts", "--policy", "--reward")] == [
            f"{store}/exports/e1", f"{store}/policies/start", f"{store}/rewardmodels/r1",
        ]  # fmt: skip
        with pytest.raises(RequestError, match=f"a {kind} job needs a reward; none was given"):
            line(store, kind=kind)


def test_further_reward_models_are_named_behind_one_flag(store: Path) -> None:
    (store / "rewardmodels/r2").mkdir()
    given = {"reward_path": "rewardmodels/r1", "ensemble_paths": ("rewardmodels/r1", "rewardmodels/r2")}
    for kind in ("ppo", "rloo"):
        arguments = line(store, kind=kind, **given)
        at = arguments.index("--ensemble-rewards")
        assert arguments[at + 1 : at + 4] == [f"{store}/rewardmodels/r1", f"{store}/rewardmodels/r2", "--out"]
    with pytest.raises(RequestError, match="a rejection_sampling job takes no further reward models"):
        line(store, kind="rejection_sampling", **given)
    with pytest.raises(RequestError, match="not a place in the model store"):
        line(store, kind="rloo", **given | {"ensemble_paths": ("../r2",)})


def test_further_material_goes_to_the_option_that_the_request_names(store: Path) -> None:
    paths = {"watch_reward": "rewardmodels/r1", "ptx_data": "exports/e1"}
    arguments = line(store, kind="ppo", reward_path="rewardmodels/r1", further_paths=paths)
    assert arguments[arguments.index("--watch-reward") + 1] == str(store / "rewardmodels/r1")
    assert arguments[arguments.index("--ptx-data") + 1] == str(store / "exports/e1")


@pytest.mark.parametrize(
    ("paths", "complaint"),
    [
        ({"watch_reward": "rewardmodels/r1"}, "a sft job takes no path as 'watch_reward'; it takes mix_data"),
        ({"out": "policies/other"}, "takes no path as 'out'"),
        ({"mix_data": "../secret"}, "not a place in the model store"),
        ({"mix_data": "exports/none"}, "share PARLEY_STORE"),
        ({"mix_data": ""}, "needs a mix_data"),
    ],
)
def test_further_material_is_known_and_in_the_store(store: Path, paths: dict[str, str], complaint: str) -> None:
    with pytest.raises(RequestError, match=complaint):
        line(store, further_paths=paths)


def test_it_always_resumes_in_the_jobs_own_folder(store: Path) -> None:
    arguments = line(store)
    assert "--resume" in arguments
    assert arguments[arguments.index("--work") + 1] == str(store / "jobs/j1/work")


def test_options_become_flags(store: Path) -> None:
    arguments = line(store, options={"lr": 1e-4, "lora": True, "packing": False, "precision": "bf16"})
    assert arguments[-4:] == ["--lora", "--lr=0.0001", "--no-packing", "--precision=bf16"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"epoch": 2}, "'epoch' is not an option of a sft job; options are activation_checkpointing, "),
        ({"margin_per_tier": 1.0}, "'margin_per_tier'"),
        ({"epochs": 1.5}, "it must be a whole number"),
        ({"epochs": True}, "it must be a whole number"),
        ({"lora": 1}, "it must be true or false"),
        ({"lr": "high"}, "it must be a number"),
        ({"out": "elsewhere"}, "'out'"),
        ({"ptx_data": "x"}, "'ptx_data'"),
        ({"--lr": 1}, "'--lr'"),
        ({"lr": "1 --out /tmp"}, "lr"),
        ({"precision": "../x"}, "precision"),
        ({"lr": [1]}, "lr"),
        ({"lr": None}, "lr"),
    ],
)
def test_what_is_no_option_is_refused_by_name(store: Path, options: dict[str, Any], named: str) -> None:
    with pytest.raises(RequestError, match=named):
        line(store, options=options)


@pytest.mark.parametrize("path", ["../elsewhere", "/etc", "", ".", "policies/../../x"])
def test_no_path_leaves_the_store(store: Path, path: str) -> None:
    with pytest.raises(RequestError):
        line(store, out_path=path)


@pytest.mark.parametrize("kind", list(MODULES))
def test_the_allow_list_is_what_the_trainer_knows_but_for_paths(kind: TrainingKind) -> None:
    ours = {"data", "model", "policy", "reward", "prompts", "out", "work", "resume", "ptx_text", "harmless", "licences"}
    ours |= {"rollouts", *(f"rollouts_{name}" for name in ("folder", "weight_cap", "max_gap", "patience"))}
    hints = get_type_hints(CONFIGS[kind])
    assert hints.pop("ensemble_rewards", tuple[Path, ...]) == tuple[Path, ...], "named apart from the options"
    assert {name for name in FURTHER_PATHS[kind] if hints[name] == Path | None} == FURTHER_PATHS[kind]
    known = {name: hint for name, hint in hints.items() if name not in ours | FURTHER_PATHS[kind]}
    assert {name: str if get_origin(hint) is Literal else hint for name, hint in known.items()} == OPTIONS[kind]


def test_a_server_that_samples_is_named_by_the_workers_environment(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_TRAIN_ROLLOUTS", "http://gpu9:8000")
    for kind in ("ppo", "rloo"):
        scored = line(store, kind=kind, reward_path="rewardmodels/r1")
        assert scored[scored.index("--rollouts") + 1] == "http://gpu9:8000"
    assert "--rollouts" not in line(store, kind="rejection_sampling", reward_path="rewardmodels/r1")
    with pytest.raises(RequestError, match="'rollouts' is not an option"):
        line(store, kind="ppo", reward_path="rewardmodels/r1", options={"rollouts": "elsewhere"})


def test_the_watchdog_runs_the_very_same_command(store: Path) -> None:
    arguments = line(store)
    assert with_parent_watchdog(arguments) == [
        *arguments[:2],
        "training.parent_watchdog",
        str(os.getpid()),
        *arguments[2:],
    ]


@pytest.mark.parametrize("job_id", ["..", "../policies/start", "", "a b", "/etc"])
def test_a_job_has_no_folder_but_its_own(store: Path, job_id: str) -> None:
    assert job_folder(store, "0a-1") == store / "jobs" / "0a-1"
    with pytest.raises(RequestError, match="is not the id of a job"):
        job_folder(store, job_id)


def test_a_missing_input_says_that_the_store_must_be_shared(store: Path) -> None:
    with pytest.raises(RequestError, match="share PARLEY_STORE"):
        line(store, data_path="exports/none")
