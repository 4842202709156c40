"""A tiny reward model that tests share."""

import os
from pathlib import Path

import pytest

from language.checkpoints import load_tokenizer
from rewardmodel.model import publish_reward_model, start_reward_model

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def tiny_reward_model(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published reward model with a head drawn at random; read-only, since all tests of a session share it."""
    target = tmp_path_factory.mktemp("rewardmodels") / "tiny"
    model = start_reward_model(tiny_policy, seed=0)
    publish_reward_model(target, model=model, tokenizer=load_tokenizer(tiny_policy), facts={"note": "untrained"})
    return target


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets beside the checkout, or wherever PARLEY_TEST_DATA says."""
    folder = Path(os.environ.get("PARLEY_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set PARLEY_TEST_DATA to its folder")
    return folder
