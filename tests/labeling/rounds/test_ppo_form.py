"""The PPO form and the PPO program refuse the same sizes."""

from itertools import product
from pathlib import Path

import pytest

from labeling.models import RewardModel
from labeling.rounds.preference_forms import PpoForm
from language.options import OptionError
from policy.ppo_config import PpoConfig, require_options
from tests.labeling.factories import make_policy, make_project
from tests.labeling.rounds.views.test_rounds import make_export

pytestmark = pytest.mark.django_db
PATHS = {name: Path(name) for name in ("policy", "reward", "prompts", "out")}


def test_the_form_takes_exactly_the_sizes_that_the_program_takes(store: Path) -> None:
    project = make_project(policy=make_policy(name="base"))
    judge = RewardModel.objects.create(name="judge", store_path="rewardmodels/judge", manifest_sha256="0" * 64)
    rows = {"export": make_export(project, "prompts").id, "policy": project.policy_id, "reward_model": judge.id}
    names = ("rollouts_per_update", "minibatch_size", "completions_per_prompt", "microbatch_size")
    outcomes = set()
    for sizes in product((4, 48, 64), (4, 16, 24), (None, 1, 3), (None, 2, 8)):
        given = {name: size for name, size in zip(names, sizes, strict=True) if size is not None}
        fields = {"kind": "ppo", "output_name": "o", "lr": 1e-4, "seed": 0, "updates": 1, "max_new_tokens": 8}
        is_taken = PpoForm({**fields, **rows, "kl_coef": 0.1, **given}, project=project).is_valid()
        assert is_taken == program_takes(PpoConfig(**PATHS, **given)), given
        outcomes.add(is_taken)
    assert outcomes == {True, False}


def program_takes(config: PpoConfig) -> bool:
    try:
        require_options(config)
    except OptionError:
        return False
    return True
