"""The gold preference as a program that scores JSON lines, as reward models are asked too."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from labeling.gold import preference
from labeling.gold.score import gold_scores
from records import Completion, Message, Ranking, RecordError
from records.lines import to_line

CHECKOUT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "labeling.gold.score"]
QUESTION = (Message(role="user", content="How should I plant tomatoes on a windy balcony?"),)
GOOD = "Plant the tomatoes in heavy pots, and put them by the wall of the balcony, away from the wind."
ASKED = {
    "id": "q",
    "messages": [{"role": "user", "content": QUESTION[0].content}],
    "completions": [{"id": "a", "content": GOOD, "finish_reason": "stop"}, {"id": "b", "content": "Wind is"}],
}


def run_command(text: str) -> "subprocess.CompletedProcess[str]":
    """The command as another package would start it: no settings, no database."""
    return subprocess.run(
        COMMAND, input=text, capture_output=True, text=True, cwd=CHECKOUT, env={"PATH": "/usr/bin"}, check=False
    )


def test_the_command_answers_in_order_with_the_scores_of_the_gold_preference() -> None:
    completions = tuple(Completion(id=one["id"], content=one["content"]) for one in ASKED["completions"])  # type: ignore[index]
    ranking = Ranking(
        id="r", comparison_id="c", messages=QUESTION, completions=completions, tiers=(("b",), ("a",)), split="test"
    )
    done = run_command(json.dumps(ASKED) + "\n\n" + to_line(ranking))
    assert done.returncode == 0, done.stderr
    first, second = map(json.loads, done.stdout.splitlines())
    expected = {"a": preference.score(QUESTION, GOOD), "b": preference.score(QUESTION, "Wind is")}
    assert expected["a"] > expected["b"]
    assert (first, second) == ({"id": "q", "scores": expected}, {"id": "r", "scores": expected})


def test_a_line_that_makes_no_sense_ends_the_command_with_its_number() -> None:
    done = run_command(json.dumps(ASKED) + "\nnot json\n")
    assert done.returncode == 2
    assert len(done.stdout.splitlines()) == 1  # what came before is answered
    assert done.stderr.startswith("error: stdin:2: not JSON")
    assert "Traceback" not in done.stderr


def test_a_prompt_must_end_with_the_user() -> None:
    answered = ASKED | {"messages": [{"role": "assistant", "content": "Hello."}]}
    with pytest.raises(RecordError, match=r"stdin:1: .*user message"):
        list(gold_scores([json.dumps(answered)]))


def test_policies_are_judged_by_it_through_a_command() -> None:
    """What `policy.overoptimisation --gold-command` asks with."""
    from policy.judging import CommandJudge
    from policy.prompts import TokenizedPrompt
    from records import Prompt

    prompt = TokenizedPrompt(Prompt(id="p", messages=QUESTION), (1, 2))
    completion = Completion(id="p-0", content=GOOD, finish_reason="stop")
    judge = CommandJudge(f"{sys.executable} -m labeling.gold.score")
    assert judge.scores([(prompt, [completion])]) == [(preference.score(QUESTION, GOOD),)]
