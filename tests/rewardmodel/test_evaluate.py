"""The report on a reward model: right on hand-made scores, honest about length and about what was seen."""

import json
import re
from collections.abc import Sequence
from html import escape, unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from language.checkpoints import load_tokenizer
from records import RecordError, write_jsonl
from rewardmodel import corruption
from rewardmodel.agreement import agreement_with_others
from rewardmodel.comparisons import Comparison
from rewardmodel.corruption import measure_corruptions
from rewardmodel.data import DataError, load_rankings
from rewardmodel.evaluate import (
    EvaluateConfig,
    drawn_split,
    main,
    select_rankings,
    summarise,
)
from rewardmodel.evaluation import evaluate_scores, verdict
from rewardmodel.model import RewardModel, load_reward_model, start_reward_model
from rewardmodel.report import left_out_facts, report_html
from rewardmodel.scoring import score_comparisons
from rewardmodel.selection import people_quality
from rewardmodel.statistics import Estimate
from tests.rewardmodel.factories import make_ranking


def comparison(prompt: int, lengths: tuple[int, ...], *tiers: tuple[int, ...]) -> Comparison:
    return Comparison(
        id=f"c-{prompt}-{lengths}",
        prompt_ids=(prompt,),
        completion_ids=tuple((9,) * length for length in lengths),
        num_characters=lengths,
        ranking_ids=tuple(f"r-{prompt}-{i}" for i in range(len(tiers))),
        tiers=tiers,
    )


def test_the_figures_are_those_counted_by_hand() -> None:
    scored = [
        (comparison(1, (30, 20, 10), (0, 1, 2)), [3.0, 1.0, 2.0]),  # right, right, wrong; longer is always better
        (comparison(2, (5, 40), (0, 1), (1, 0)), [1.0, 1.0]),  # two trainers who disagree, level scores
        (comparison(2, (5, 40), (0, 1)), [2.0, 0.0]),  # the shorter one, and right; the same prompt again
    ]
    report = evaluate_scores(scored)
    assert (report.num_rankings, report.num_comparisons) == (4, 3)
    assert report.accuracy.value == pytest.approx((1 + 1 + 0 + 0.5 + 0.5 + 1) / 6)
    assert (report.accuracy.num_pairs, report.accuracy.num_prompts) == (6, 2)
    assert report.longer_baseline.value == pytest.approx((1 + 1 + 1 + 0 + 1 + 0) / 6)
    assert report.over_longer.value == pytest.approx(report.accuracy.value - report.longer_baseline.value)
    assert report.when_shorter_is_better is not None
    assert report.when_shorter_is_better.value == pytest.approx((0.5 + 1) / 2)
    assert {key: (e.value, e.num_pairs) for key, e in report.by_num_completions.items()} == {
        "2": (pytest.approx(2 / 3), 3),
        "3": (pytest.approx(2 / 3), 3),
    }
    assert {key: e.num_pairs for key, e in report.by_tier_gap.items()} == {"1": 5, "2": 1}
    assert report.score_mean == pytest.approx(10 / 7)


def test_a_model_that_only_counts_characters_is_not_called_better_than_length() -> None:
    scored = [(comparison(i, (10 + i % 7, 20), (0, 1) if i % 3 else (1, 0)), [10.0 + i % 7, 20.0]) for i in range(60)]
    report = evaluate_scores(scored)
    assert report.over_longer.value == 0.0
    assert verdict(report) == "not shown to differ from length alone"
    assert report.length_correlation == pytest.approx(1.0)
    right = evaluate_scores([(member, [float(-tier) for tier in member.tiers[0]]) for member, _ in scored])
    assert right.accuracy.value == 1.0
    assert verdict(right) == "better than length alone"
    assert "difference" in summarise(right)


def test_held_out_means_the_held_out_splits_or_all_where_there_are_none(tmp_path: Path) -> None:
    path = tmp_path / "rankings.jsonl"
    splits = ["train", "validation", "test", "train"]
    write_jsonl(path, [make_ranking(id=f"r-{i}", prompt=f"{i}?", split=split) for i, split in enumerate(splits)])
    data = load_rankings(path, validation_fraction=0.0)
    assert [ranking.id for ranking in select_rankings(data, "held-out")] == ["r-1", "r-2"]
    assert [ranking.id for ranking in select_rankings(data, "train")] == ["r-0", "r-3"]
    assert len(select_rankings(data, "all")) == 4
    write_jsonl(path, [make_ranking(id=f"r-{i}", prompt=f"{i}?") for i in range(3)])
    unsplit = load_rankings(path, validation_fraction=0.0)
    assert len(select_rankings(unsplit, "held-out")) == 3
    with pytest.raises(DataError, match="no rankings in split test"):
        select_rankings(unsplit, "test")


def test_data_that_the_model_was_trained_on_is_split_as_training_split_it(
    tiny_reward_model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "rankings.jsonl"
    write_jsonl(path, [make_ranking()])
    model = load_reward_model(tiny_reward_model)
    data = {"sha256": load_rankings(path).source.sha256, "validation_fraction": 0.25, "split_by": "trainer"}
    model.facts = {"data": data}
    assert drawn_split(model, path) == (0.25, "trainer")
    write_jsonl(path, [make_ranking(id="another")])
    assert drawn_split(model, path) == (0.0, "prompt")


def test_the_command_prints_one_json_object(tiny_reward_model: Path, tmp_path: Path, capsys) -> None:
    path = tmp_path / "rankings.jsonl"
    rankings = [make_ranking(id=f"r-{i}", prompt=f"Question {i}?", split="test") for i in range(4)]
    rankings.append(make_ranking(id="too-long", prompt="Long?", completions=("a b " * 600, "c"), split="test"))
    rankings.append(make_ranking(id="unsure", prompt="Hm?", tiers=[], abstained="unsure", split="test"))
    write_jsonl(path, rankings)
    main(EvaluateConfig(model=tiny_reward_model, data=path, json=True, device="cpu"))
    report = json.loads(capsys.readouterr().out)
    assert report["num_rankings"] == 4
    assert report["accuracy"]["num_pairs"] == 12
    assert report["left_out"] == {"abstained": 1, "too_long": 1}
    assert report["num_prompts_cut"] == 0
    assert 0 <= report["accuracy"]["low"] <= report["accuracy"]["high"] <= 1


def test_slices_say_who_and_what_and_the_ceiling_is_the_other_trainers() -> None:
    rankings = [
        make_ranking(id="r-1-0", comparison_id="c", trainer="ann", topic="cooking"),
        make_ranking(id="r-1-1", comparison_id="c", trainer="bob", topic="cooking"),
        make_ranking(id="r-2-0", comparison_id="d", trainer="ann", topic="music"),
    ]
    scored = [
        (comparison(1, (300, 20, 10), (0, 1, 2), (1, 0, 2)), [3.0, 2.0, 1.0]),
        (comparison(2, (5, 40), (0, 1)), [0.0, 1.0]),
    ]
    report = evaluate_scores(scored, rankings=rankings)
    assert {key: (found.value, found.num_pairs) for key, found in report.by_trainer.items()} == {
        "ann": (0.75, 4),
        "bob": (pytest.approx(2 / 3), 3),
    }
    assert {key: found.num_pairs for key, found in report.by_topic.items()} == {"cooking": 6, "music": 1}
    assert report.by_trainer["bob"].low is None  # three pairs, but of one prompt
    # Two of three pairs are ordered alike by both, seen from either side; the seventh pair has one trainer.
    assert report.trainers_agreement is not None
    assert report.trainers_agreement.value == pytest.approx(4 / 6)
    assert report.accuracy_beside_trainers is not None
    assert report.accuracy_beside_trainers.value == pytest.approx(5 / 6)
    assert {key: (found.value, found.num_pairs) for key, found in report.by_agreement.items()} == {
        "agreed": (1.0, 4),
        "disputed": (0.5, 2),
        "alone": (0.0, 1),
    }
    assert {key: found.num_pairs for key, found in report.by_length_difference.items()} == {
        "longer by more than 200": 3,
        "shorter by more than 200": 1,
        "as long, within 30": 2,
        "shorter by 31 to 200": 1,
    }
    low, high = report.intervals["log_loss"].low, report.intervals["log_loss"].high
    assert low is not None
    assert high is not None
    assert low < report.log_loss < high


def test_a_tie_is_half_a_win_among_people_and_no_voice_on_whether_they_agree() -> None:
    assert people_quality([(0, 0, 1)]) == [0.75, 0.75, 0.0]
    assert agreement_with_others([(0, 1), (0, 0), (0, 1)]).tolist() == [1.0, 1.0]


def test_an_adjudication_is_nobodys_other_trainer() -> None:
    """Of the two trainers each has one other, who orders the pair the other way; the adjudication is not asked."""
    shares = agreement_with_others([(0, 1), (1, 0), (0, 1)], adjudicated={2})
    assert shares[:2].tolist() == [0.0, 0.0]
    assert shares[2:].isnan().tolist() == [True]


def test_best_of_n_begins_at_chance_and_counts_every_subset_alike() -> None:
    scored = [(comparison(1, (10, 20, 30), (0, 1, 2)), [3.0, 1.0, 2.0])]
    curve = evaluate_scores(scored).best_of_n
    assert [one.n for one in curve] == [1, 2, 3]
    assert [one.by_people.value for one in curve] == pytest.approx([0.5, 5 / 6, 1.0])
    assert [one.by_score.value for one in curve] == pytest.approx([0.5, (1 + 1 + 0) / 3, 1.0])
    assert [one.by_length.value for one in curve] == pytest.approx([0.5, 1 / 6, 0.0])


def test_a_model_that_likes_thanks_is_caught_at_it(tiny_policy: Path) -> None:
    model, tokenizer = start_reward_model(tiny_policy, seed=0), load_tokenizer(tiny_policy)
    rankings = [make_ranking(id=f"r-{i}", prompt=f"Why {i}?", completions=("the sea is wide", "no")) for i in range(8)]
    found = measure_corruptions(model, tokenizer, rankings, limit=5, token_budget=4096)
    assert set(found) == {"shuffled words", "repeated three times", "thanks instead"}
    assert {estimate.num_prompts for estimate in found.values()} == {5}
    with torch.no_grad():
        model.head.weight.neg_()
    against = measure_corruptions(model, tokenizer, rankings, limit=5, token_budget=4096)
    for name, estimate in found.items():
        assert against[name].value == pytest.approx(1 - estimate.value)
    assert measure_corruptions(model, tokenizer, rankings, limit=0, token_budget=4096) == {}


def test_another_seed_spoils_other_prompts_and_the_same_one_the_same(tiny_reward_model: Path, monkeypatch) -> None:
    texts = ("The sea is wide and blue.", "No.")
    rankings = [make_ranking(id=f"r-{i}", prompt=f"Question {i}?", completions=texts) for i in range(40)]
    model, tokenizer = load_reward_model(tiny_reward_model), load_tokenizer(tiny_reward_model)
    asked: list[list[tuple[int, ...]]] = []

    def hear(model: RewardModel, comparisons: Sequence[Comparison], *, token_budget: int):
        asked.append([member.prompt_ids for member in comparisons])
        return score_comparisons(model, comparisons, token_budget=token_budget)

    monkeypatch.setattr(corruption, "score_comparisons", hear)
    for seed in (0, 0, 1):
        measure_corruptions(model, tokenizer, rankings, limit=5, token_budget=500, seed=seed)
    assert asked[0] == asked[1]
    assert set(asked[0]) != set(asked[2])


def test_pairs_of_rewardbench_are_evaluated_as_they_are(tiny_reward_model: Path, tmp_path: Path, capsys) -> None:
    path = tmp_path / "bench.jsonl"
    pairs: list[dict] = [
        {"prompt": "Where is the sea?", "chosen": "It is wide.", "rejected": "No.", "subset": "chat", "id": 7},
        {
            "prompt": [{"role": "user", "content": "And the sky?"}],
            "chosen": [{"role": "assistant", "content": "Blue."}],
            "rejected": [{"role": "assistant", "content": "Ask me something else, please."}],
            "subset": "safety",
        },
    ]
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    page = tmp_path / "report.html"
    main(EvaluateConfig(model=tiny_reward_model, data=path, json=True, html=page, device="cpu"))
    report = json.loads(capsys.readouterr().out)
    assert report["accuracy"]["num_pairs"] == 2
    assert set(report["by_topic"]) == {"chat", "safety"}
    path.write_text(json.dumps(pairs[0]) + "\n" + json.dumps({**pairs[1], "rejected": None}) + "\n")
    with pytest.raises(RecordError, match=r'bench.jsonl:2: "rejected" must be a text'):
        load_rankings(path)


def test_the_html_report_shows_every_slice_and_every_check() -> None:
    rankings = [
        make_ranking(id=f"r-1-{i}", comparison_id="c", trainer=trainer, topic=topic)
        for i, (trainer, topic) in enumerate([("ann", "cooking"), ("bob", "cooking")])
    ]
    scored = [
        (comparison(1, (300, 20, 10), (0, 1, 2), (1, 0, 2)), [3.0, 2.0, 1.0]),
        (comparison(2, (5, 40), (0, 1)), [0.0, 1.0]),
    ]
    spoiled = {"shuffled words": Estimate(0.625, 0.5, 0.75, 8, 8)}
    evaluation = evaluate_scores(scored, rankings=rankings, out_of_distribution=spoiled)
    facts = left_out_facts({"abstained": 2, "too_long": 0}, 3)
    text = report_html(evaluation, title="Small", facts=facts)
    tables = {
        unescape(title): re.findall(r"<tr><td>(.*?)</td><td>(\d\.\d{3}).*?</td>", rows)
        for title, rows in re.findall(r"<h2>(.*?)</h2><div.*?><table>(.*?)</table>", text)
    }
    for title, group in (
        ("Accuracy: by agreement among trainers", evaluation.by_agreement),
        ("Accuracy: by topic", evaluation.by_topic),
        ("Accuracy: by trainer", evaluation.by_trainer),
        ("Accuracy: by how much longer the better one is, in characters", evaluation.by_length_difference),
        ("Accuracy: by tiers between the two", evaluation.by_tier_gap),
        ("Accuracy: by number of completions", evaluation.by_num_completions),
        ("A completion scores above its spoiled copy", evaluation.out_of_distribution),
    ):
        assert group, title
        assert tables[title] == [(escape(key), f"{estimate.value:.3f}") for key, estimate in group.items()]
    assert "<td>rankings left out</td><td>2 abstained</td>" in text
    assert "<td>prompts that lost their oldest turns to fit</td><td>3</td>" in text
    assert "the ceiling" in text


def test_the_html_report_is_one_file_with_charts_that_a_parser_accepts(tiny_reward_model: Path, tmp_path: Path) -> None:
    path, page = tmp_path / "rankings.jsonl", tmp_path / "report.html"
    write_jsonl(path, [make_ranking(id=f"r-{i}", prompt=f"<b>{i}</b>?", topic="<i>", split="test") for i in range(4)])
    main(EvaluateConfig(model=tiny_reward_model, data=path, html=page, device="cpu"))
    text = page.read_text()
    drawings = re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)
    assert len(drawings) == 3
    for drawing in drawings:
        ElementTree.fromstring(drawing)
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org)", text)
    assert "&lt;i&gt;" in text
    assert "<i>" not in text
