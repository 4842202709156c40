"""The study of over-optimisation end to end on a world of four answers, with a gold preference of another taste."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from language.options import OptionError
from policy import overoptimisation
from policy.judging import CommandJudge, load_judge
from policy.overoptimisation import StudyConfig, main
from policy.prompts import TokenizedPrompt
from records import Completion, verify_directory, write_jsonl
from rewardmodel.publishing import PublishingError
from tests.policy.factories import QUESTIONS, make_prompt

# Likes "b" as the proxy does, but not an answer of nothing else: over-optimised, it falls.
GOLD = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    scores = {}
    for one in asked["completions"]:
        liked = one["content"].split().count("b") / 4
        scores[one["id"]] = liked - 2 * max(0, liked - 0.5)
    print(json.dumps({"id": asked["id"], "scores": scores}))
"""


@pytest.fixture
def config(toy_policy: Path, toy_reward_model: Path, tmp_path: Path) -> StudyConfig:
    (tmp_path / "gold.py").write_text(GOLD)
    prompts = [make_prompt(text, id=f"p-{i}") for i, text in enumerate(QUESTIONS)]
    prompts += [make_prompt(f"{i}?", id=f"v-{i}", split="validation") for i in range(12)]
    write_jsonl(tmp_path / "prompts.jsonl", prompts)
    return StudyConfig(
        policy=toy_policy,
        rewards=(toy_reward_model,),
        prompts=tmp_path / "prompts.jsonl",
        out=tmp_path / "study",
        gold_command=f"{sys.executable} {tmp_path / 'gold.py'}",
        num_samples=8,
        updates=4,
        look_every=1,
        rollouts_per_update=32,
        minibatch_size=16,
        lr=2e-3,
        max_new_tokens=10,
        device="cpu",
    )


def study_of(directory: Path) -> dict[str, Any]:
    return json.loads((directory / "study.json").read_text())  # type: ignore[no-any-return]


def test_every_proxy_and_the_control_have_both_curves(config: StudyConfig) -> None:
    main(config)
    verify_directory(config.out)
    study = study_of(config.out)
    curves = {(curve["proxy"], curve["method"]): curve["points"] for curve in study["curves"]}
    proxy = config.rewards[0].name
    assert list(curves) == [
        (proxy, "best_of_n"),
        (proxy, "ppo"),
        ("length only", "best_of_n"),
        ("length only", "ppo"),
    ]
    picked = [point["proxy"] for point in curves[proxy, "best_of_n"]]
    assert picked == sorted(picked)
    assert [round(point["distance"] ** 2, 4) for point in curves[proxy, "best_of_n"]] == [0, 0.1931, 0.6363, 1.2044]
    trained = curves[proxy, "ppo"]
    assert len(trained) == 5
    assert trained[0]["distance"] == pytest.approx(0, abs=1e-3)
    assert trained[-1]["distance"] > 0.2
    assert trained[-1]["proxy"] > trained[0]["proxy"]
    page = (config.out / "report.html").read_text()
    assert page.count("<svg") == 6
    assert "length only, PPO" in page
    assert study["settings"]["control_tokens"] > 0
    assert not config.work_directory.exists()


def test_the_control_is_trained_and_looked_at_by_length_alone(config: StudyConfig) -> None:
    target = config.max_new_tokens
    main(replace(config, control_tokens=target, updates=8))
    (points,) = (
        curve["points"]
        for curve in study_of(config.out)["curves"]
        if (curve["proxy"], curve["method"]) == ("length only", "ppo")
    )
    for point in points:  # no answer is longer than the target, so the mean score is that of the mean length
        assert point["proxy"] == pytest.approx(point["tokens"] / target)
    assert points[-1]["tokens"] > points[0]["tokens"]  # though long ones have no end token, for which others pay


def test_an_interrupted_study_goes_on_to_the_same_points(config: StudyConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    straight = replace(config, out=config.out.with_name("straight"))
    main(straight)
    publish = overoptimisation.publish

    def dying(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(overoptimisation, "publish", dying)
    with pytest.raises(KeyboardInterrupt):
        main(config)
    monkeypatch.setattr(overoptimisation, "publish", publish)
    with pytest.raises(PublishingError, match="go on with --resume"):
        main(config)
    main(replace(config, resume=True))
    assert study_of(config.out)["curves"] == study_of(straight.out)["curves"]


def test_the_gold_preference_must_be_one_and_another(config: StudyConfig) -> None:
    with pytest.raises(OptionError, match="one of them"):
        main(replace(config, gold_command=""))
    with pytest.raises(OptionError, match="must be another model"):
        main(replace(config, gold_command="", gold_reward=config.rewards[0]))
    with pytest.raises(OptionError, match="two directories of one name"):
        main(replace(config, rewards=config.rewards * 2))


def test_a_program_that_fails_or_babbles_is_quoted() -> None:
    asked = [(TokenizedPrompt(make_prompt(), (1,)), [Completion(id="c", content="Hi.", finish_reason="stop")])]
    with pytest.raises(OptionError, match="ended with 3: no gold here"):
        CommandJudge("sh -c 'echo no gold here >&2; exit 3'").scores(asked)
    with pytest.raises(OptionError, match="must print"):
        CommandJudge("echo gold!").scores(asked)


def test_a_reward_model_as_a_program_scores_as_it_does_in_the_process(toy_reward_model: Path) -> None:
    """`python -m rewardmodel.score` is such a program."""
    completions = [Completion(id=f"c-{i}", content=text, finish_reason="stop") for i, text in enumerate(["b b", "a"])]
    asked = [(TokenizedPrompt(make_prompt(), (1,)), completions)]
    judge = load_judge(toy_reward_model, torch.device("cpu"), missing_end_score=-1.0)
    command = CommandJudge(f"{sys.executable} -m rewardmodel.score --model {toy_reward_model} --device cpu")
    assert command.scores(asked)[0] == pytest.approx(judge.scores(asked)[0], abs=1e-5)
