"""Open-Assistant's trees and flat messages: which answers make a ranking, which a dialogue, and which are refused."""

from pathlib import Path
from typing import Any

import pytest

from records import Prompt
from tests.labeling.imports.files import oasst_message, oasst_tree
from tests.labeling.imports.reading import preference, read, spoken


def test_ranked_siblings_become_a_ranking_with_their_path_as_prompt(tmp_path: Path) -> None:
    answers = [oasst_message(f"a{rank}", "assistant", rank=rank) for rank in (1, 0, 2)]
    question = oasst_message("q2", "prompter", *answers)
    tree = oasst_tree(oasst_message("a", "assistant", question))
    name, (ranking,), _ = read(tmp_path, "rankings", tree)
    assert name == "oasst"
    assert [message.content for message in ranking.messages] == ["text of root", "text of a", "text of q2"]
    assert preference(ranking) == [["text of a0"], ["text of a1"], ["text of a2"]]


def test_equal_ranks_are_a_tie_and_gaps_say_nothing(tmp_path: Path) -> None:
    answers = [oasst_message(f"a{i}", "assistant", rank=rank) for i, rank in enumerate((5, 0, 5))]
    _, (ranking,), _ = read(tmp_path, "rankings", oasst_tree(*answers))
    assert preference(ranking) == [["text of a1"], ["text of a0", "text of a2"]]


def test_unranked_deleted_and_failed_answers_are_left_out(tmp_path: Path) -> None:
    answers = [
        oasst_message("a0", "assistant", rank=0),
        oasst_message("a1", "assistant", rank=1),
        oasst_message("a2", "assistant"),
        oasst_message("a3", "assistant", rank=2, deleted=True),
        oasst_message("a4", "assistant", rank=3, review_result=False),
    ]
    _, (ranking,), _ = read(tmp_path, "rankings", oasst_tree(*answers))
    assert preference(ranking) == [["text of a0"], ["text of a1"]]


def test_one_ranked_answer_is_no_ranking(tmp_path: Path) -> None:
    assert read(tmp_path, "rankings", oasst_tree(oasst_message("a", "assistant", rank=0))) == ("oasst", [], [])


def test_a_machine_written_answer_names_its_model(tmp_path: Path) -> None:
    answers = [oasst_message(f"a{i}", "assistant", rank=i, synthetic=i == 0, model_name="chip20b") for i in (0, 1)]
    _, (ranking,), _ = read(tmp_path, "rankings", oasst_tree(*answers))
    assert [completion.policy for completion in ranking.completions] == ["chip20b", None]


def test_a_tree_as_dialogues_follows_the_best_answers(tmp_path: Path) -> None:
    last = oasst_message("a2", "assistant")
    best = oasst_message("best", "assistant", oasst_message("q1", "prompter", last), rank=0)
    tree = oasst_tree(oasst_message("worse", "assistant", rank=1), best)
    best["replies"].append(oasst_message("q2", "prompter"))
    _, dialogues, _ = read(tmp_path, "dialogues", tree)
    assert [[content.split()[-1] for _, content in spoken(one)] for one in dialogues] == [["root", "best", "q1", "a2"]]


def test_an_unanswered_tree_is_a_prompt(tmp_path: Path) -> None:
    _, (prompt,), _ = read(tmp_path, "dialogues", oasst_tree())
    assert isinstance(prompt, Prompt)


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        (oasst_tree(*(oasst_message("a", "assistant", rank=i) for i in (0, 1))), "names completion a twice"),
        (oasst_tree(oasst_message("root", "assistant")), "is used twice"),
        (oasst_tree(*(oasst_message(f"a{i}", "assistant", rank=r) for i, r in enumerate((0, -1)))), '"rank" must be'),
        (oasst_tree(*(oasst_message(f"a{i}", "assistant", rank=r) for i, r in enumerate((0, "1")))), '"rank" must be'),
        (oasst_tree(oasst_message("q", "prompter")), "do not take turns"),
        ({"message_tree_id": "t", "prompt": []}, '"prompt" must be an object, not a list'),
        ({"message_tree_id": "t", "prompt": {"message_id": "x", "text": "", "role": "prompter"}}, '"text" is empty'),
        (oasst_tree(*({"role": "assistant", "rank": i} for i in (0, 1))), '"message_id" must be text'),
    ],
)
def test_a_tree_that_makes_no_sense_is_refused(tmp_path: Path, tree: Any, reason: str) -> None:
    _, records, refused = read(tmp_path, "rankings", tree)
    assert records == []
    assert reason in refused[0]


def flattened(node: dict[str, Any], parent: str | None = None) -> list[dict[str, Any]]:
    rest = {key: value for key, value in node.items() if key != "replies"}
    return [
        {**rest, "parent_id": parent, "message_tree_id": "root"},
        *(line for reply in node["replies"] for line in flattened(reply, node["message_id"])),
    ]


def test_flat_messages_give_what_their_tree_gives(tmp_path: Path) -> None:
    answers = [oasst_message(f"a{rank}", "assistant", rank=rank) for rank in (1, 0, 2)]
    tree = oasst_tree(oasst_message("a", "assistant", oasst_message("q2", "prompter", *answers)))
    name, rankings, refused = read(tmp_path, "rankings", *flattened(tree["prompt"]))
    assert (name, refused) == ("oasst-messages", [])
    assert rankings == read(tmp_path, "rankings", tree)[1]


def test_a_message_before_its_parent_is_refused_with_its_line(tmp_path: Path) -> None:
    lines = flattened(oasst_tree(oasst_message("a", "assistant"))["prompt"])
    orphan = {**lines[1], "message_id": "b", "parent_id": "nobody"}
    _, dialogues, refused = read(tmp_path, "dialogues", *lines, orphan)
    assert len(dialogues) == 1
    assert "its parent 'nobody' does not stand before it" in refused[0]
