"""Saved states: bit-exact resume, whole after any kill, refusing what is not theirs."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from language.optimization import build_adamw, build_schedule
from language.training_state import (
    TrainingState,
    TrainingStateError,
    load_latest_training_state,
    save_training_state,
)
from records import verify_directory

ROOT = Path(__file__).parents[2]
STEPS = "60"


def start_run(directory: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__).with_name("resumable.py")), str(directory), STEPS]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)


def finish(run: subprocess.Popen[str]) -> str:
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 0
    return output.splitlines()[-1]


def linear_state(*, step: int = 0, width: int = 3, **run: object) -> TrainingState:
    torch.manual_seed(step)
    model = nn.Linear(width, 1)
    return TrainingState(modules={"model": model}, optimizers={"adam": build_adamw(model, lr=0.1)}, step=step, run=run)


@pytest.mark.chaos
def test_a_run_killed_again_and_again_ends_bit_for_bit_like_one_that_was_not(tmp_path: Path) -> None:
    uninterrupted = start_run(tmp_path / "whole")
    expected = finish(uninterrupted)
    rng, kills = random.Random(0), 0
    while kills < 4:
        run = start_run(tmp_path / "killed")
        assert run.stdout is not None
        ready = run.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.05))
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert ready.startswith("READY")
        kills += 1
    assert finish(start_run(tmp_path / "killed")) == expected
    assert not list((tmp_path / "killed").glob("tmp-*"))


def test_a_fresh_run_finds_nothing(tmp_path: Path) -> None:
    assert not load_latest_training_state(tmp_path / "nowhere", linear_state())


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3, 10):
        save_training_state(tmp_path, linear_state(step=step), keep=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state-0000000003", "state-0000000010"]


def test_a_damaged_state_is_passed_over_for_the_one_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for step in (1, 2):
        save_training_state(tmp_path, linear_state(step=step))
    path = tmp_path / "state-0000000002" / "tensors.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    state = linear_state()
    assert load_latest_training_state(tmp_path, state)
    assert state.step == 1
    assert torch.equal(state.modules["model"].weight, linear_state(step=1).modules["model"].weight)
    assert "passing over a damaged state" in capsys.readouterr().err


def test_a_state_of_another_run_is_refused_with_what_differs(tmp_path: Path) -> None:
    save_training_state(tmp_path, linear_state(lr=0.1))
    with pytest.raises(TrainingStateError, match=r"a run with lr = 0.1, this one has 0.2; continue with the same"):
        load_latest_training_state(tmp_path, linear_state(lr=0.2))


def test_an_option_that_the_earlier_run_did_not_have_makes_it_another(tmp_path: Path) -> None:
    save_training_state(tmp_path, linear_state(lr=0.1))
    with pytest.raises(TrainingStateError, match=r"a run with warmup = None, this one has 3"):
        load_latest_training_state(tmp_path, linear_state(lr=0.1, warmup=3))


def whole_state() -> TrainingState:
    """One of everything that a run may have, as it is when the run begins."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))  # with buffers
    optimizer = build_adamw(model, lr=0.1)
    schedule = build_schedule(optimizer, kind="linear", total_steps=10)
    generator = torch.Generator().manual_seed(0)
    return TrainingState({"model": model}, {"adam": optimizer}, {"lr": schedule}, {"own": generator})


def advance(state: TrainingState) -> list[float]:
    """A step that draws from torch's generators and moves everything; what it drew and what it left."""
    drawn = [torch.rand(1).item(), torch.rand(1, generator=state.generators["own"]).item()]
    model, optimizer, schedule = state.modules["model"], state.optimizers["adam"], state.schedules["lr"]
    model(torch.full((4, 3), drawn[0]) * torch.arange(4.0).unsqueeze(1)).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    schedule.step()
    weights = [value for tensor in model.state_dict().values() for value in tensor.flatten().tolist()]
    return [*drawn, schedule.get_last_lr()[0], *weights]


def test_everything_that_a_run_draws_and_moves_goes_on_where_it_was(tmp_path: Path) -> None:
    straight = whole_state()
    for _ in range(3):
        advance(straight)
    straight.step, straight.epoch, straight.position, straight.facts = 3, 1, 2, {"kl_coef": 0.5}
    saved = save_training_state(tmp_path, straight)
    expected = advance(straight)

    resumed = whole_state()
    resumed.facts = {"left over": 1}
    random.seed(1)
    assert load_latest_training_state(tmp_path, resumed)
    version, numbers, gauss = json.loads((saved / "state.json").read_text())["python"]
    assert random.getstate() == (version, tuple(numbers), gauss)
    assert (resumed.step, resumed.epoch, resumed.position) == (3, 1, 2)
    assert resumed.facts == {"kl_coef": 0.5}
    assert advance(resumed) == expected


def test_a_state_of_another_model_is_refused(tmp_path: Path) -> None:
    save_training_state(tmp_path, linear_state(width=3))
    with pytest.raises(TrainingStateError, match=r"another model; they differ in weight"):
        load_latest_training_state(tmp_path, linear_state(width=4))


def test_frozen_parameters_are_not_written(tmp_path: Path) -> None:
    state = linear_state()
    state.modules["model"].weight.requires_grad_(False)
    weight, bias = (p.clone() for p in state.modules["model"].parameters())
    save_training_state(tmp_path, state)
    with torch.no_grad():
        state.modules["model"].weight.add_(1)
        state.modules["model"].bias.add_(1)
    load_latest_training_state(tmp_path, state)
    assert torch.equal(state.modules["model"].weight, weight + 1)
    assert torch.equal(state.modules["model"].bias, bias)


def test_tied_parameters_are_written_once_and_stay_tied(tmp_path: Path) -> None:
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    state = TrainingState(modules={"model": nn.Sequential(first, second)})
    saved = save_training_state(tmp_path, state)
    assert (saved / "tensors.safetensors").stat().st_size < 6000
    load_latest_training_state(tmp_path, state)
    assert second.weight is first.weight


def write_until_full(directory: Path, limit: int) -> None:
    """In a process of its own: no file may grow beyond `limit` bytes, as on a full disk."""
    program = f"""
import resource, signal, torch
from torch import nn
from language.training_state import TrainingState, save_training_state
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {resource.RLIM_INFINITY}))
try:
    save_training_state({str(directory)!r}, TrainingState(modules={{"m": nn.Linear(200, 200)}}, step=2))
except OSError as error:
    print("OSError", error)
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.stdout.startswith("OSError"), run.stderr


def test_a_full_disk_leaves_the_state_before(tmp_path: Path) -> None:
    save_training_state(tmp_path, TrainingState(modules={"m": nn.Linear(200, 200)}, step=1))
    write_until_full(tmp_path, limit=50_000)
    assert [path.name for path in tmp_path.iterdir()] == ["state-0000000001"]
    verify_directory(tmp_path / "state-0000000001")
