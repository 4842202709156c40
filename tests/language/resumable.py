"""A small training run as its own program: tests kill it at any moment and start it again.

Usage: python resumable.py DIRECTORY STEPS. Prints READY before its first step and at the end a hash of
all that it came to. Draws from every random source, so that a run that forgot one would show it.
"""

import hashlib
import random
import sys

import torch
from torch import nn

from language.optimization import build_adamw, build_schedule
from language.training_state import TrainingState, load_latest_training_state, save_training_state


def main(directory: str, num_steps: int) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    random.seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.Dropout(0.1), nn.Linear(64, 1))
    optimizer = build_adamw(model, lr=1e-2, eps=1e-5, weight_decay=0.1)
    schedule = build_schedule(optimizer, kind="cosine", total_steps=num_steps, warmup_steps=5)
    generator = torch.Generator().manual_seed(1)
    state = TrainingState(
        modules={"model": model},
        optimizers={"adam": optimizer},
        schedules={"lr": schedule},
        generators={"noise": generator},
        run={"num_steps": num_steps},
        facts={"losses": 0.0},
    )
    load_latest_training_state(directory, state)
    print("READY", state.step, flush=True)
    while state.step < num_steps:
        x = torch.randn(16, 64, generator=generator) * random.random() + torch.randn(16, 64)
        loss = (model(x) - x.sum(dim=1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        state.facts["losses"] += loss.item()
        state.step += 1
        save_training_state(directory, state)
    digest = hashlib.sha256()
    for tensor in model.state_dict().values():
        digest.update(tensor.numpy().tobytes())
    print("END", digest.hexdigest(), state.facts["losses"], random.random(), torch.rand(1).item(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
