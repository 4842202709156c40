"""Fine-tuning that is selected by a reward model, and instruction data mixed in."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from language.checkpoints import load_causal_lm, load_tokenizer
from language.options import OptionError
from language.parallel import Sharing
from policy import sft, sft_material
from policy.dialogues import DialogueSet, TokenizedDialogue, load_dialogues, tokenize_dialogue
from policy.mixture import Mixture, beginning_of, load_mixture, members_of_epoch, read_dialogues
from policy.selection import Examination, best_epoch, epoch_directory
from policy.sft import main
from policy.sft_config import SftConfig
from records import Demonstration, RecordError, write_jsonl
from rewardmodel.data import DataError
from tests.policy.factories import QUESTIONS, make_demonstration, write_demonstrations, write_prompts


@pytest.fixture
def config(toy_policy: Path, toy_reward_model: Path, tmp_path: Path) -> SftConfig:
    """Three epochs of saying "d", which the reward model does not like; the start says "b" a quarter of the time."""
    pairs = [(question, "d d d") for question in QUESTIONS]
    train = [make_demonstration(*pair, id=f"d-{index}") for index, pair in enumerate(pairs)]
    held_out = [make_demonstration(f"{i}?", "a a a", id=f"v-{i}", split="validation") for i in range(24)]
    write_jsonl(tmp_path / "data.jsonl", train + held_out)
    return SftConfig(
        data=tmp_path / "data.jsonl",
        model=toy_policy,
        out=tmp_path / "taught",
        select_reward=toy_reward_model,
        select_max_new_tokens=8,
        lr=3e-3,
        batch_size=5,
        epochs=3,
        device="cpu",
    )


def facts_of(directory: Path) -> dict[str, Any]:
    return json.loads((directory / "policy.json").read_text())  # type: ignore[no-any-return]


def same_weights(one: Path, other: Path) -> bool:
    left, right = load_causal_lm(one).state_dict(), load_causal_lm(other).state_dict()
    return all(torch.equal(tensor, right[name]) for name, tensor in left.items())


def test_the_epoch_that_scores_highest_is_published_and_all_are_kept(config: SftConfig) -> None:
    main(config)
    selection = facts_of(config.out)["selection"]
    scores = [point["selection_score"] for point in selection["curve"]]
    assert [point["epoch"] for point in selection["curve"]] == [1, 2, 3]
    assert scores[selection["published_epoch"] - 1] == max(scores)
    assert len(set(scores)) == 3
    kept = [epoch_directory(config.work_directory, epoch) for epoch in (1, 2, 3)]
    assert [same_weights(config.out, place) for place in kept] == [
        epoch == selection["published_epoch"] for epoch in (1, 2, 3)
    ]


def test_both_curves_are_in_the_metrics_and_on_the_card(config: SftConfig) -> None:
    main(replace(config, epochs=2))
    lines = [json.loads(line) for line in (config.out / "metrics.jsonl").read_text().splitlines()]
    curve = facts_of(config.out)["selection"]["curve"]
    logged = [line for line in lines if "selection_score" in line]
    assert [line["selection_score"] for line in logged] == [point["selection_score"] for point in curve]
    assert [line["validation_loss"] for line in logged] == [point["validation_loss"] for point in curve]
    card = (config.out / "card.md").read_text()
    assert f"| 2 | {curve[1]['selection_score']:.4g} | {curve[1]['validation_loss']:.4g} |" in card
    assert "selecting reward model" in card


def test_a_killed_run_selects_the_same_epoch(config: SftConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    config = replace(config, save_every=1, lora=True)
    straight = replace(config, out=config.out.with_name("straight"))
    main(straight)
    score, calls = Examination.score, []

    def dying(self: Examination, model: Any, sharing: Sharing) -> float:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return score(self, model, sharing)

    monkeypatch.setattr(Examination, "score", dying)
    with pytest.raises(KeyboardInterrupt):
        main(config)
    main(replace(config, resume=True))
    assert facts_of(config.out)["selection"] == facts_of(straight.out)["selection"]
    assert same_weights(config.out, straight.out)


def test_prompts_may_be_given_and_must_be_somewhere(config: SftConfig, tmp_path: Path) -> None:
    prompts = write_prompts(tmp_path / "prompts.jsonl", ["What is the sea?"])
    prompts.write_text(prompts.read_text().replace('"train"', '"validation"'))
    main(replace(config, epochs=1, select_prompts=prompts))
    assert facts_of(config.out)["made_from"]["selection_prompts"]["name"] == "prompts.jsonl"
    data = write_demonstrations(tmp_path / "train-only.jsonl", [("Hello!", "d d")])
    with pytest.raises(OptionError, match="give --select-prompts"):
        main(replace(config, out=tmp_path / "other", data=data))
    with pytest.raises(OptionError, match="--select-prompts needs --select-reward"):
        main(replace(config, select_reward=None, select_prompts=prompts))


def test_of_equal_epochs_the_first_is_best() -> None:
    curve = [{"epoch": epoch, "selection_score": score} for epoch, score in ((1, 0.5), (2, 0.7), (3, 0.7))]
    assert best_epoch(curve) == 2


# Without a reward model.


@pytest.fixture
def unjudged(config: SftConfig) -> SftConfig:
    """The same without the reward model: learning "d" by heart makes "a", which is held out, ever less likely."""
    return replace(config, select_reward=None, out=config.out.with_name("unjudged"))


def test_without_a_reward_model_the_epoch_of_the_lowest_held_out_loss_is_published(
    config: SftConfig, unjudged: SftConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    main(config)
    capsys.readouterr()
    main(unjudged)
    facts, said = facts_of(unjudged.out), capsys.readouterr().err
    selection, losses = facts["selection"], [point["validation_loss"] for point in facts["selection"]["curve"]]
    assert (selection["by"], selection["published_epoch"], len(losses)) == ("held-out loss", 1, 3)
    assert losses[0] < losses[1] < losses[2]
    assert same_weights(unjudged.out, epoch_directory(config.work_directory, 1))
    assert facts["metrics"]["validation_loss"] == losses[0], "the figures are of what is published"
    assert facts["metrics"]["published_epoch"] == 1
    assert f"epoch 3: the held-out loss rose from {losses[1]:.4g} to {losses[2]:.4g}" in said
    told = f"poch 1 of 3 is published: its held-out loss was lowest, {losses[0]:.4g}; it rose to {losses[2]:.4g} by"
    assert told in said
    assert told in (unjudged.out / "card.md").read_text()
    assert not list((unjudged.work_directory / "epochs").glob("*"))


def test_the_last_epoch_is_published_where_it_is_best_and_where_nothing_is_held_out(
    unjudged: SftConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = [make_demonstration(question, "d d d", id=f"d-{i}") for i, question in enumerate(QUESTIONS)]
    write_jsonl(tmp_path / "same.jsonl", [*pairs, replace(pairs[0], id="v", split="validation")])
    learning = replace(unjudged, data=tmp_path / "same.jsonl")
    main(learning)
    assert facts_of(learning.out)["selection"]["published_epoch"] == 3
    write_jsonl(tmp_path / "train.jsonl", pairs)
    unheld = replace(unjudged, data=tmp_path / "train.jsonl", out=tmp_path / "unheld")
    main(unheld)
    selection = facts_of(unheld.out)["selection"]
    assert (selection["by"], selection["published_epoch"], selection["curve"]) == ("last", 3, [])
    assert "epoch 3, the last, is published: nothing is held out to choose by" in capsys.readouterr().err
    assert same_weights(learning.out, unheld.out), "what is held out moves nothing else"


@pytest.mark.parametrize("dies_at", [2, 3, 4])
def test_a_killed_run_publishes_the_same_epoch_of_the_lowest_loss(
    unjudged: SftConfig, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    torch.set_num_threads(1)
    unjudged = replace(unjudged, save_every=2, lora=True, batch_size=3)
    straight = replace(unjudged, out=unjudged.out.with_name("straight"))
    main(straight)
    validate, calls = sft.validate, []

    def dying(*given: Any) -> dict[str, Any]:
        calls.append(1)
        if len(calls) == dies_at:
            raise KeyboardInterrupt
        return validate(*given)

    monkeypatch.setattr(sft, "validate", dying)
    with pytest.raises(KeyboardInterrupt):
        main(unjudged)
    main(replace(unjudged, resume=True))
    assert facts_of(unjudged.out)["selection"] == facts_of(straight.out)["selection"]
    assert same_weights(unjudged.out, straight.out)


def test_a_loss_that_is_no_number_is_no_best_and_of_equal_ones_the_first_is() -> None:
    curve = [{"epoch": i + 1, "validation_loss": loss} for i, loss in enumerate((math.nan, 2.0, 1.5, 1.5, math.inf))]
    assert best_epoch(curve) == 3


def test_kept_epochs_count_in_the_room_that_a_run_needs(config: SftConfig, unjudged: SftConfig) -> None:
    for given, count in ((config, 3), (unjudged, 2), (replace(unjudged, epochs=1), 0)):
        assert sft.num_kept(sft_material.load_material(given, torch.device("cpu")), given) == count


# Mixing in.


@pytest.fixture
def instructions(tmp_path: Path) -> Path:
    lines = [{"instruction": "Add.", "input": "1 and 1", "output": "2"}]
    lines += [{"prompt": f"Say {i}.", "completion": str(i)} for i in range(5)]
    path = tmp_path / "instructions.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def mix(path: Path, model: Path, *, per_epoch: int, held_out: list[Any] | None = None) -> Mixture:
    return load_mixture(path, load_tokenizer(model), per_epoch=per_epoch, max_tokens=100, held_out=held_out or [])


def test_an_instruction_becomes_one_question_and_one_answer(instructions: Path) -> None:
    first, second, *_ = read_dialogues(instructions)
    assert [(m.role, m.content) for m in first.messages] == [("user", "Add.\n\n1 and 1"), ("assistant", "2")]
    assert [(m.role, m.content) for m in second.messages] == [("user", "Say 0."), ("assistant", "0")]


def test_what_is_left_out_unseen_is_not_tokenised(
    tiny_policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [make_demonstration(str(i), "yes", id=f"d-{i}") for i in range(4)]
    records[1], records[3] = replace(records[1], split="test"), replace(records[3], split="validation")
    write_jsonl(tmp_path / "d.jsonl", records)
    tokenised: list[str] = []

    def tokenize(demonstration: Demonstration, *given: Any, **named: Any) -> TokenizedDialogue:
        tokenised.append(demonstration.id)
        return tokenize_dialogue(demonstration, *given, **named)

    monkeypatch.setattr("policy.mixture.tokenize_dialogue", tokenize)
    mixed = mix(tmp_path / "d.jsonl", tiny_policy, per_epoch=1, held_out=[records[2]])
    assert tokenised == ["d-0"]
    assert mixed.left_out == {"other_split": 2, "held_out": 1}


def test_what_is_neither_is_refused_with_its_line(tmp_path: Path, tiny_policy: Path) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_text('{"instruction": "Hello!", "output": "Hi."}\n{"question": "Hello?"}\n')
    with pytest.raises(RecordError, match=r'odd\.jsonl:2: has neither "messages" nor an instruction'):
        mix(path, tiny_policy, per_epoch=1)


def test_what_begins_like_a_held_out_dialogue_is_not_learnt(instructions: Path, tiny_policy: Path) -> None:
    held_out = make_demonstration("Say 3.", "Three.", split="validation")
    mixture = mix(instructions, tiny_policy, per_epoch=1, held_out=[held_out])
    assert (len(mixture.dialogues), mixture.left_out) == (5, {"held_out": 1})
    only = write_demonstrations(instructions.with_name("only.jsonl"), [("Say 3.", "3")])
    with pytest.raises(DataError, match="nothing in it can be mixed in; left out"):
        mix(only, tiny_policy, per_epoch=1, held_out=[held_out])
    assert beginning_of(held_out) == "Say 3."


def test_every_epoch_has_its_share_and_the_mixture_is_gone_through(
    instructions: Path, tiny_policy: Path, tmp_path: Path
) -> None:
    data = write_demonstrations(tmp_path / "d.jsonl", [(question, "a") for question in QUESTIONS])
    dialogues: DialogueSet = load_dialogues(data, load_tokenizer(tiny_policy), max_tokens=100, validation_fraction=0.0)
    mixture = mix(instructions, tiny_policy, per_epoch=3)
    epochs = [members_of_epoch(dialogues.train, mixture, seed=4, epoch=epoch) for epoch in (0, 1)]
    ids = [[member.id for member in epoch] for epoch in epochs]
    own = {dialogue.id for dialogue in dialogues.train}
    assert all(own <= set(epoch) and len(epoch) == 8 for epoch in ids)
    mixed = [[name for name in epoch if name not in own] for epoch in ids]
    assert sorted(mixed[0] + mixed[1]) == sorted(dialogue.id for dialogue in mixture.dialogues)
    assert epochs[1] == members_of_epoch(dialogues.train, mixture, seed=4, epoch=1)
    assert ids[1] != [member.id for member in members_of_epoch(dialogues.train, mixture, seed=5, epoch=1)]


def test_every_epoch_has_an_order_of_its_own_without_a_mixture_too(tiny_policy: Path, tmp_path: Path) -> None:
    data = write_demonstrations(tmp_path / "d.jsonl", [(f"{i}?", "a") for i in range(20)])
    found = load_dialogues(data, load_tokenizer(tiny_policy), max_tokens=100, validation_fraction=0.0)
    orders = [
        tuple(member.id for member in members_of_epoch(found.train, None, seed=seed, epoch=epoch))
        for seed in (0, 1)
        for epoch in range(4)
    ]
    assert len(set(orders)) == 8
    assert {frozenset(order) for order in orders} == {frozenset(dialogue.id for dialogue in found.train)}


def test_what_is_mixed_in_is_trained_on_and_named(
    config: SftConfig, instructions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    take_step = sft.take_step

    def listening(model: Any, optimizer: Any, dialogues: Any, *rest: Any) -> Any:
        seen.extend(dialogue.id for dialogue in dialogues)
        return take_step(model, optimizer, dialogues, *rest)

    monkeypatch.setattr(sft, "take_step", listening)
    main(replace(config, select_reward=None, mix_data=instructions, mix_ratio=0.4, epochs=1))
    assert len(seen) == 7
    assert sum(name.startswith("i-") for name in seen) == 2
    assert facts_of(config.out)["made_from"]["mixed_in"]["name"] == "instructions.jsonl"
    with pytest.raises(OptionError, match="--mix-data go together"):
        main(replace(config, mix_ratio=0.5))
