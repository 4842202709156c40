"""Scores as a command: any record in, one line out, in order; clear words where it cannot."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from language.chat import render_completion, render_prompt
from language.checkpoints import load_tokenizer
from records import Demonstration, Message, RecordError, encode, publish_directory, write_jsonl
from rewardmodel.data import DataError
from rewardmodel.model import load_reward_model
from rewardmodel.score import ScoreConfig, main, read_questions
from tests.rewardmodel.factories import make_ranking

QUESTION = Message(role="user", content="What is the capital of France?")


def run_main(model: Path, lines: list[str], monkeypatch, capsys) -> list[dict]:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines) + "\n"))
    main(ScoreConfig(model=model, device="cpu"))
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_it_answers_rankings_candidates_and_demonstrations_in_order(tiny_reward_model, monkeypatch, capsys) -> None:
    ranking = make_ranking(id="ranked")
    candidates = {
        "id": "unranked",
        "messages": [encode(QUESTION)],
        "completions": [{"id": "a", "content": "Paris."}, {"id": "b", "content": "I do not know."}],
    }
    demonstration = Demonstration(id="shown", messages=(QUESTION, Message(role="assistant", content="Paris.")))
    lines = [json.dumps(encode(ranking)), "", json.dumps(candidates), json.dumps(encode(demonstration))]
    ranked, unranked, shown = run_main(tiny_reward_model, lines, monkeypatch, capsys)
    assert ranked["id"] == "ranked"
    assert list(ranked["scores"]) == [completion.id for completion in ranking.completions]
    assert unranked["scores"]["a"] == pytest.approx(ranked["scores"][ranking.completions[0].id], abs=1e-5)
    assert shown == {"id": "shown", "score": pytest.approx(unranked["scores"]["a"], abs=1e-5)}


def test_a_score_is_the_models_value_of_prompt_and_completion(tiny_reward_model, monkeypatch, capsys) -> None:
    import torch

    demonstration = Demonstration(id="d", messages=(QUESTION, Message(role="assistant", content="Paris.")))
    (answer,) = run_main(tiny_reward_model, [json.dumps(encode(demonstration))], monkeypatch, capsys)
    tokenizer = load_tokenizer(tiny_reward_model)
    ids = render_prompt(tokenizer, [QUESTION]) + render_completion(tokenizer, "Paris.")
    with torch.no_grad():
        value = load_reward_model(tiny_reward_model)(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.bool))
    assert answer["score"] == pytest.approx(value[0, -1].item(), abs=1e-5)


def test_the_directory_of_an_export_is_read_as_everywhere(
    tiny_reward_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "st").mkdir()
    write_jsonl(tmp_path / "st" / "rankings.jsonl", [make_ranking(id="ranked")])
    publish_directory(tmp_path / "st", tmp_path / "export", kind="rankings")
    main(ScoreConfig(model=tiny_reward_model, data=tmp_path / "export", device="cpu"))
    said = capsys.readouterr()
    assert json.loads(said.out)["id"] == "ranked"
    assert "scored 1 records; none left out" in said.err
    (tmp_path / "st").mkdir()
    (tmp_path / "st" / "prompts.jsonl").write_text("")
    publish_directory(tmp_path / "st", tmp_path / "prompts", kind="prompts")
    with pytest.raises(DataError, match=r"holds neither rankings\.jsonl nor demonstrations\.jsonl"):
        main(ScoreConfig(model=tiny_reward_model, data=tmp_path / "prompts", device="cpu"))


def test_a_cut_prompt_is_said(tiny_reward_model, monkeypatch, capsys) -> None:
    ranking = make_ranking(prompt="Tell me more, please. " * 200)
    (answer,) = run_main(tiny_reward_model, [json.dumps(encode(ranking))], monkeypatch, capsys)
    assert answer["prompt_tokens_cut"] > 0


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "stdin:1: not JSON at column"),
        ('{"id": "x"}', '"messages" is missing'),
        (
            '{"id": "x", "messages": [{"role": "user", "content": "?"}], "completions": []}',
            '"completions" not be empty',
        ),
        ('{"id": "x", "messages": [{"role": "assistant", "content": "!"}]}', "after a user message"),
    ],
)
def test_a_line_that_cannot_be_scored_is_named(line: str, complaint: str, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(line + "\n"))
    with pytest.raises(RecordError, match=complaint):
        list(read_questions(Path("-")))


def test_a_completion_beyond_the_context_is_an_error_not_a_guess(tiny_reward_model, monkeypatch, capsys) -> None:
    ranking = make_ranking(id="vast", completions=("word " * 600, "short"))
    with pytest.raises(DataError, match="record vast"):
        run_main(tiny_reward_model, [json.dumps(encode(ranking))], monkeypatch, capsys)


def test_the_program_ends_with_one_line_and_status_2_on_what_a_person_caused(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "rewardmodel.score", "--model", str(tmp_path / "nowhere")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        f"error: --model {tmp_path / 'nowhere'}: no such directory; give the path of a model directory"
    ]
