"""A second reward model that watches PPO, and pretraining text that is mixed in."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from language.checkpoints import load_causal_lm, load_tokenizer
from language.options import OptionError
from policy import ppo
from policy.disagreements import DISAGREEMENTS_FILE
from policy.judging import repeated_share
from policy.objective import kl_of_logits
from policy.ppo import main
from policy.ppo_config import PpoConfig
from policy.rollout import collect_rollouts
from policy.texts import find_texts, tokenize_texts
from policy.watch import BEST, Look, best_look, has_turned
from records import RecordError, write_jsonl
from records.metrics import MEASURED
from rewardmodel.data import DataError
from rewardmodel.model import publish_reward_model
from tests.policy.conftest import counting_reward_model
from tests.policy.factories import QUESTIONS, make_prompt
from tests.policy.outcomes import metrics_of
from tests.tiny import build_tiny_policy


@pytest.fixture
def other_taste(tmp_path: Path) -> Path:
    """A reward model that likes what the toy policy says half as often as it can, with a tokenizer of its own."""
    base = build_tiny_policy(tmp_path / "other", vocab_size=300)
    tokenizer = load_tokenizer(base)
    (liked,) = tokenizer(" d", add_special_tokens=False)["input_ids"][:1]
    model = counting_reward_model(len(tokenizer), liked)
    publish_reward_model(tmp_path / "watching", model=model, tokenizer=tokenizer, facts={})
    return tmp_path / "watching"


@pytest.fixture
def watched(config: PpoConfig, other_taste: Path, tmp_path: Path) -> PpoConfig:
    prompts = [make_prompt(text, id=f"p-{i}") for i, text in enumerate(QUESTIONS)]
    prompts += [make_prompt(f"{i}?", id=f"v-{i}", split="validation") for i in range(64)]
    write_jsonl(tmp_path / "prompts.jsonl", prompts)
    return replace(
        config, prompts=tmp_path / "prompts.jsonl", watch_reward=other_taste, watch_max_prompts=20, save_every=1
    )


def make_look(update: int, score: float, held_out: list[float]) -> Look:
    return Look(
        update,
        [score] * len(held_out),
        held_out,
        kl=0.0,
        lengths=[1] * len(held_out),
        ended=[True] * len(held_out),
        repeated_share=0.0,
    )


def test_every_kept_state_is_looked_at_and_the_look_is_logged(watched: PpoConfig) -> None:
    main(watched)
    lines = metrics_of(watched.out)
    assert [line["step"] for line in lines] == [0, 1, 2, 3]
    assert set(lines[-1]) == set(MEASURED["ppo"]) - {"ptx_loss", "score_deviation"}
    assert lines[0]["watch_kl"] == pytest.approx(0, abs=1e-6)
    assert lines[-1]["watch_kl"] > 0.01
    assert lines[-1]["watch_score"] > lines[0]["watch_score"]
    assert lines[0]["watch_beyond_length"] == pytest.approx(0, abs=1e-9)  # of the start's own answers
    assert all(0 <= line["watch_unended_share"] <= 1 for line in lines)
    facts = json.loads((watched.out / "policy.json").read_text())
    assert [look["watch_score"] for look in facts["watch"]] == [line["watch_score"] for line in lines]
    assert "watching reward model" in (watched.out / "card.md").read_text()


def test_a_stop_is_suggested_where_the_other_reward_model_turns(
    watched: PpoConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    """Learning to say only "b", it gives up the "d" that the watching one likes; and it goes on all the same."""
    main(replace(watched, updates=6, save_every=3, watch_max_prompts=64))  # with 20 prompts the fall is within chance
    lines = metrics_of(watched.out)
    assert lines[-1]["stop_suggested"] == 1.0
    assert lines[0]["stop_suggested"] == 0.0
    assert "consider stopping: since update" in capsys.readouterr().err
    looks = [line for line in lines if "watch_score" in line]
    best = max(looks, key=lambda line: line["watch_held_out_score"])
    assert load_causal_lm(watched.work_directory / BEST) is not None
    manifest = json.loads((watched.work_directory / BEST / "manifest.json").read_text())
    assert manifest["update"] == best["step"]


def test_watching_changes_nothing_that_is_learnt(watched: PpoConfig) -> None:
    main(watched)
    alone = replace(watched, out=watched.out.with_name("alone"), watch_reward=None)
    main(alone)
    seen, unseen = (load_causal_lm(out).state_dict() for out in (watched.out, alone.out))
    assert len(seen) == len(unseen) > 0
    assert all(torch.equal(tensor, unseen[name]) for name, tensor in seen.items())


def test_a_killed_run_remembers_what_it_saw(watched: PpoConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    straight = replace(watched, out=watched.out.with_name("straight"))
    main(straight)
    collect, calls = collect_rollouts, []

    def dying(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) in (1, 4):
            raise KeyboardInterrupt
        return collect(*arguments, **options)

    monkeypatch.setattr(ppo, "collect_rollouts", dying)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            main(replace(watched, resume=True))
    main(replace(watched, resume=True))
    assert [line["step"] for line in metrics_of(watched.out)] == [0, 1, 2, 3]
    facts = [json.loads((out / "policy.json").read_text())["watch"] for out in (watched.out, straight.out)]
    assert facts[0] == facts[1]
    texts = [(out / DISAGREEMENTS_FILE).read_bytes() for out in (watched.out, straight.out)]
    assert texts[0] == texts[1]
    assert [json.loads(line)["update"] for line in texts[0].splitlines()] == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5


def test_there_must_be_prompts_to_watch(config: PpoConfig, other_taste: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no prompt of split validation"):
        main(replace(config, watch_reward=other_taste))
    with pytest.raises(OptionError, match="--watch-prompts needs --watch-reward"):
        main(replace(config, watch_prompts=tmp_path))


def test_a_turn_needs_a_fall_beyond_chance_and_a_climb() -> None:
    first = make_look(0, 0.0, [1.0, 1.2, 0.8, 1.0])
    assert has_turned([first, make_look(1, 1.0, [0.1, 0.2, -0.1, 0.0])])
    assert not has_turned([first, make_look(1, 1.0, [0.1, 2.1, 1.5, 0.1])])  # falls by less than its noise
    assert not has_turned([first, make_look(1, -1.0, [0.1, 0.2, -0.1, 0.0])])  # both fall: worse, not fooled
    assert not has_turned([first])
    assert best_look([first, make_look(1, 0.0, [1.0, 1.2, 0.8, 1.0])]).update == 0


def test_repetition_is_the_share_of_runs_that_came_before() -> None:
    assert repeated_share([1, 2, 3]) == 0
    assert repeated_share([1, 2, 3, 4, 5]) == 0
    assert repeated_share([7] * 7) == pytest.approx(3 / 4)


def test_the_kl_of_whole_distributions_is_the_worked_one() -> None:
    p, q = torch.tensor([[0.5, 0.3, 0.2]]), torch.tensor([[0.4, 0.4, 0.2]])
    assert kl_of_logits(p.log(), q.log() + 3, temperature=1.0).item() == pytest.approx(0.0252672, abs=1e-6)


# Pretraining text.


def test_text_is_read_by_paragraph_or_by_line_and_cut_without_loss(tiny_policy: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny_policy)
    (tmp_path / "a.txt").write_text("The sea is blue.\nAnd wide.\n\n\nParis <|im_end|> is\n")
    pieces = tokenize_texts(find_texts(tmp_path / "a.txt"), tokenizer, max_tokens=8)
    decoded: dict[str, str] = {}
    for piece in pieces:
        name = piece.id.split("+")[0]
        decoded[name] = decoded.get(name, "") + str(tokenizer.decode(piece.token_ids))
        assert len(piece.token_ids) <= 8
        assert tokenizer.eos_token_id not in piece.token_ids  # a control token in a text is plain characters
    assert decoded == {"a.txt:1": "The sea is blue.\nAnd wide.", "a.txt:5": "Paris <|im_end|> is"}
    (tmp_path / "b.jsonl").write_text('{"text": "The sea is blue."}\n{"text": " "}\n{"text": "Wide."}\n')
    assert {piece.id for piece in tokenize_texts(find_texts(tmp_path / "b.jsonl"), tokenizer, max_tokens=99)} == {
        "b.jsonl:1+0",
        "b.jsonl:3+0",
    }


def test_text_that_is_none_is_refused(tiny_policy: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny_policy)
    (tmp_path / "c.jsonl").write_text('{"text": "Hello!"}\n{"content": "Hello!"}\n')
    with pytest.raises(RecordError, match=r'c\.jsonl:2: has no "text"'):
        tokenize_texts(find_texts(tmp_path / "c.jsonl"), tokenizer, max_tokens=99)
    (tmp_path / "d.txt").write_text("\n\n")
    with pytest.raises(DataError, match="holds no text"):
        tokenize_texts(find_texts(tmp_path / "d.txt"), tokenizer, max_tokens=99)
    with pytest.raises(DataError, match="is a directory"):
        find_texts(tmp_path)


def test_text_mixed_in_is_learnt_beside_the_reward(config: PpoConfig, tmp_path: Path) -> None:
    """InstructGPT's PPO-ptx: γ on pretraining text; every token but the first of a piece is a target."""
    text = tmp_path / "text.txt"
    text.write_text("The sea is blue and the sky is wide.\n\n" * 3)
    config = replace(config, ptx_coef=1.0, ptx_text=text, ptx_text_tokens=16, ptx_ratio=0.5, updates=6)
    main(config)
    losses = [line["ptx_loss"] for line in metrics_of(config.out)]
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < losses[0] - 0.5
    assert json.loads((config.out / "policy.json").read_text())["made_from"]["pretraining_text"]["name"] == "text.txt"
