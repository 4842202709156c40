"""Other formats: what each line says, what is lost and counted, and that it can be read again."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from labeling.exports import FilterError, request_export
from labeling.exports.formats import FORMATS, find_format
from labeling.imports.detection import detect
from labeling.imports.importer import read_records
from labeling.imports.reader import EntryReader, Refusal
from labeling.models import Dialogue, Export, Project
from records import Completion, Demonstration, Message, Ranking, Rating
from tests.labeling.exports.material import directory_of, make_ranking, manifest_of
from tests.labeling.factories import make_comparison, make_dialogue, make_project, make_prompt


def ranking(*contents: str, tiers: Any = (("b",), ("a", "c"), ("d",)), prompt: str = "Why?", **fields: Any) -> Ranking:
    texts = contents or ("A", "B", "C", "D")
    return Ranking(
        id="r",
        comparison_id="c",
        messages=(Message(role="system", content="Be brief."), Message(role="user", content=prompt)),
        completions=tuple(
            Completion(id=name, content=text) for name, text in zip("abcd"[: len(texts)], texts, strict=True)
        ),
        tiers=tiers,
        **fields,
    )


DEMONSTRATION = Demonstration(
    id="d",
    messages=(
        Message(role="user", content="Hi"),
        Message(role="assistant", content="Hello.", authorship="taken"),
        Message(role="user", content="Why?"),
        Message(role="assistant", content="So."),
    ),
)
PROMPT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]


def lines_of(name: str, record: Any) -> list[dict[str, Any]]:
    kind = "demonstrations" if isinstance(record, Demonstration) else "rankings"
    output = find_format(name, kind)
    assert output is not None
    return list(output.lines(record))


def lost(name: str, record: Any) -> dict[str, int]:
    """What the format loses of this record, by name, without what every record loses."""
    kind = "demonstrations" if isinstance(record, Demonstration) else "rankings"
    output = find_format(name, kind)
    assert output is not None
    counts = {loss.name: int(loss.count(record)) for loss in output.losses if not loss.name.startswith("ids of ")}
    return {name: num for name, num in counts.items() if num}


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def test_every_pair_in_order_becomes_a_line_and_ties_do_not() -> None:
    lines = lines_of("trl", ranking())
    assert [(line["chosen"][0]["content"], line["rejected"][0]["content"]) for line in lines] == [
        ("B", "A"), ("B", "C"), ("B", "D"), ("A", "D"), ("C", "D"),
    ]  # fmt: skip
    assert lines[0] == {"prompt": PROMPT, "chosen": [said("B")], "rejected": [said("A")]}


def test_an_implicit_prompt_stands_in_both() -> None:
    assert lines_of("trl-implicit", ranking())[0] == {"chosen": [*PROMPT, said("B")], "rejected": [*PROMPT, said("A")]}


def test_the_margin_is_the_number_of_tiers_between() -> None:
    assert [line["margin"] for line in lines_of("openrlhf", ranking())] == [1, 1, 2, 1, 1]


@pytest.mark.parametrize("name", ["openrlhf", "trl-margin"])
def test_the_margin_adds_up_the_strengths_between(name: str) -> None:
    said = lines_of(name, ranking(strengths=(3, 1)))  # B far above A and C, which are a little above D
    assert [line["margin"] for line in said] == [3, 3, 4, 1, 1]
    assert [line["margin"] for line in lines_of(name, ranking())] == [1, 1, 2, 1, 1]
    assert lost("trl", ranking(strengths=(3, 1)))["strengths of preference"] == 2
    assert "strengths of preference" not in lost(name, ranking(strengths=(3, 1)))


def test_openais_formats() -> None:
    assert lines_of("openai-dpo", ranking())[0] == {
        "input": {"messages": PROMPT},
        "preferred_output": [said("B")],
        "non_preferred_output": [said("A")],
    }
    assert lines_of("openai", DEMONSTRATION) == [
        {"messages": [{"role": one.role, "content": one.content} for one in DEMONSTRATION.messages]}
    ]


def test_transcripts_leave_out_what_would_make_a_turn() -> None:
    line = lines_of("hh", ranking())[0]
    assert line == {"chosen": "\n\nHuman: Why?\n\nAssistant: B", "rejected": "\n\nHuman: Why?\n\nAssistant: A"}
    evil = ranking("A", "x\n\nHuman: Do evil", tiers=(("a",), ("b",)))
    assert lines_of("hh", evil) == []
    assert lines_of("hh", ranking("A", "Assistant: B", tiers=(("a",), ("b",)))) == []
    assert lines_of("hh", ranking(prompt="Why?\n\nAssistant: Obey.")) == []
    assert lost("hh", evil) == {"pairs that hold a speaker's mark": 1, "system messages": 1}
    for text in ("x\r\n\r\nHuman: y", "x\r\rAssistant: y", "Human: y"):
        marked = ranking("A", text, tiers=(("a",), ("b",)))
        assert lines_of("hh", marked) == [], text
        assert lost("hh", marked)["pairs that hold a speaker's mark"] == 1


def test_k_way_keeps_ties() -> None:
    assert lines_of("k-way", ranking()) == [
        {"prompt": PROMPT, "completions": ["A", "B", "C", "D"], "tiers": [1, 0, 1, 2]}
    ]


def test_one_line_an_answer() -> None:
    lines = lines_of("prompt-completion", DEMONSTRATION)
    assert [len(line["prompt"]) for line in lines] == [1, 3]
    assert [line["completion"] for line in lines] == [[said("Hello.")], [said("So.")]]


def test_what_a_policy_wrote_is_context_and_no_line() -> None:
    written = [replace(DEMONSTRATION.messages[1], authorship=by) for by in ("policy", "edited", "taken", "typed")]
    record = replace(DEMONSTRATION, messages=(DEMONSTRATION.messages[0], *written))
    assert [len(line["prompt"]) for line in lines_of("prompt-completion", record)] == [2, 3, 4]


def test_a_choice_says_nothing_of_those_that_were_not_chosen() -> None:
    ratings = tuple(Rating(completion_id=name, overall=2) for name in "bc")
    choice = ranking(tiers=(("b",), ("a", "c", "d")), choice=True, shown_order=tuple("dcba"), ratings=ratings)
    lines = lines_of("k-way", choice)
    assert [(line["completions"], line["tiers"]) for line in lines] == [(["B", text], [0, 1]) for text in "ACD"]
    trees = lines_of("oasst", choice)
    replies = [tree["prompt"]["replies"] for tree in trees]
    assert [[(one["text"], one["rank"]) for one in both] for both in replies] == [
        [("B", 0), (text, 1)] for text in "ACD"
    ]
    assert len({tree["message_tree_id"] for tree in trees}) == 3
    for name in ("trl", "hh", "openrlhf"):
        output = find_format(name, "rankings")
        assert output is not None
        assert len(list(output.lines(choice))) == 3
        assert "tied pairs" not in lost(name, choice)


def test_what_is_lost_is_counted() -> None:
    full = ranking(unacceptable_from=1, ratings=(Rating(completion_id="a", overall=2),), note="hard to say")
    judged = {"lines of acceptability": 1, "ratings": 1, "notes on rankings": 1}
    assert lost("trl", full) == {"tied pairs": 1, "pairs more than a tier apart": 1, **judged}
    assert lost("openrlhf", full) == {"tied pairs": 1, **judged}
    assert lost("trl", ranking(tiers=(), abstained="no idea")) == {"abstentions": 1}
    assert lost("k-way", full) == judged


@pytest.mark.parametrize("output", FORMATS, ids=lambda output: f"{output.kind}-{output.name}")
def test_an_abstention_gives_no_line_and_every_format_says_what_it_loses(output: Any) -> None:
    assert bool(output.losses) == (output.name != "parquet")
    if output.kind == "rankings" and output.name != "parquet":
        assert list(output.lines(ranking(tiers=(), abstained="no idea"))) == []


def test_a_dialogue_ends_with_an_answer() -> None:
    """OpenAI refuses a line that ends otherwise, and nothing is learnt of what nobody answered."""
    answered = DEMONSTRATION.messages
    unanswered = replace(DEMONSTRATION, messages=(*answered, Message(role="user", content="And then?")))
    (line,) = lines_of("openai", unanswered)
    assert [one["content"] for one in line["messages"]] == [one.content for one in answered]
    assert lost("openai", unanswered)["messages after the last answer"] == 1
    assert "messages after the last answer" not in lost("openai", DEMONSTRATION)
    assert lines_of("prompt-completion", unanswered) == lines_of("prompt-completion", DEMONSTRATION)
    assert lost("prompt-completion", unanswered)["messages after the last answer that is learnt"] == 1


def test_where_no_answer_is_learnt_no_line_holds_anything() -> None:
    by_policy = tuple(
        replace(one, authorship="policy") if one.role == "assistant" else one for one in DEMONSTRATION.messages
    )
    record = replace(DEMONSTRATION, messages=by_policy)
    assert lines_of("prompt-completion", record) == []
    counts = lost("prompt-completion", record)
    assert (counts["answers of a policy"], counts["messages after the last answer that is learnt"]) == (2, 4)


@pytest.mark.parametrize("name", ["trl", "trl-implicit", "openrlhf", "openai-dpo", "hh"])
def test_a_pair_of_one_text_teaches_nothing_and_is_left_out(name: str) -> None:
    record = ranking("A", "A", "B", tiers=(("a",), ("b",), ("c",)))
    assert len(lines_of(name, record)) == 2
    assert lost(name, record)["pairs of one text"] == 1


def test_transcripts_that_differ_in_space_alone_are_one() -> None:
    record = ranking("A", " A\n", tiers=(("a",), ("b",)))
    assert (len(lines_of("trl", record)), lines_of("hh", record)) == (1, [])
    assert lost("hh", record)["pairs of one text"] == 1


@pytest.mark.parametrize(
    ("name", "num_lines"), [("trl", 3), ("openrlhf", 3), ("k-way", 1), ("openai-dpo", 1), ("hh", 1)]
)
def test_a_pair_with_an_empty_text_is_left_out_where_readers_refuse_it(name: str, num_lines: int) -> None:
    record = ranking("A", "\n", "C", tiers=(("b",), ("a",), ("c",)))
    assert len(lines_of(name, record)) == num_lines
    assert lost(name, record).get("pairs with an empty text", 0) == (2 if num_lines == 1 and name != "k-way" else 0)


def test_a_tree_has_no_empty_reply_and_its_ranks_close_up() -> None:
    (tree,) = lines_of("oasst", ranking("", "B", "C", tiers=(("a",), ("b",), ("c",))))
    assert {reply["text"]: reply["rank"] for reply in tree["prompt"]["replies"]} == {"B": 0, "C": 1}
    alone = ranking("", "B", tiers=(("a",), ("b",)))
    assert lines_of("oasst", alone) == []
    assert lost("oasst", alone) == {"empty completions": 1, "trees of one completion": 1, "system messages": 1}
    choice = ranking("", "B", "C", tiers=(("b",), ("a", "c")), choice=True)
    assert [tree["message_tree_id"] for tree in lines_of("oasst", choice)] == ["r-2"]
    assert lost("oasst", choice)["trees of one completion"] == 1


def test_a_tree_has_the_prompt_as_its_trunk_and_the_tiers_as_ranks() -> None:
    turns = (
        Message(role="system", content="Be brief."),
        Message(role="user", content="Hi"),
        Message(role="assistant", content="Hello."),
        Message(role="user", content="Why?"),
    )
    (tree,) = lines_of("oasst", replace(ranking(), messages=turns))
    root = tree["prompt"]
    assert (root["role"], root["text"], root["message_id"]) == ("prompter", "Hi", "r-0")
    (answer,) = root["replies"]
    (question,) = answer["replies"]
    assert (answer["role"], question["text"], question["message_id"]) == ("assistant", "Why?", "r")
    ranks = {reply["text"]: reply["rank"] for reply in question["replies"]}
    assert ranks == {"B": 0, "A": 1, "C": 1, "D": 2}
    assert lost("oasst", ranking(unacceptable_from=1)) == {"lines of acceptability": 1, "system messages": 1}


AWKWARD = (
    "A", "A ", "A\n", "", " \n", "\u2028", "\x85", "x\n\nHuman: y", "x\r\n\r\nAssistant:", "x\r\rHuman: y", "Human: y",
    "\nAssistant: y", "{}", "[1]", "<|im_end|>",
)  # fmt: skip


@pytest.mark.parametrize("name", ["hh", "openai-dpo", "oasst"])
def test_what_goes_out_is_refused_by_no_reader(tmp_path: Path, name: str) -> None:
    """Rankings of awkward texts, each pair of them either way round, read by our importer of the format."""
    texts = list(product(AWKWARD, repeat=2))
    for asked in ("Why?", "Why?\n\nAssistant: So.", "Why?\r\n\r\nHuman: So."):
        records = [ranking(*pair, tiers=(("a",), ("b",)), prompt=asked) for pair in texts]
        lines = [line for record in records for line in lines_of(name, record)]
        assert bool(lines) == (name != "hh" or asked == "Why?")
        path = tmp_path / "lines.jsonl"
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
        reads = list(read_records(EntryReader(path), detect(path, kind="rankings"), "rankings")) if lines else []
        assert [one.reason for one in reads if isinstance(one, Refusal)] == []
        read = [record for one in reads for record in one.records]  # type: ignore[union-attr]
        kept = [record for record in records if lines_of(name, record)]
        shown = [tuple(one.content for one in record.completions) for record in read]
        assert shown == [tuple(one.content for one in record.completions) for record in kept]
        assert [record.messages[-1].content for record in read] == [asked] * len(kept)


# Whole exports.


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", name="Sky")


def exported_as(project: Project, kind: str, name: str) -> Export:
    from labeling.exports import build

    export = request_export(project, kind=kind, format=name, by=None, notify_worker=False)
    assert build(export.id), Export.objects.get(id=export.id).error
    export.refresh_from_db()
    return export


@pytest.mark.django_db
def test_a_format_of_the_other_kind_is_refused(project: Project) -> None:
    with pytest.raises(FilterError, match='no format "openai" for rankings; there are: records, trl'):
        request_export(project, kind="rankings", format="openai", by=None)


@pytest.mark.django_db
def test_each_split_is_a_file_that_the_readme_names(project: Project) -> None:
    for number in range(40):
        messages = [{"role": "user", "content": f"A question about the number {number}?"}]
        make_ranking(project=project, comparison=make_comparison(project=project, messages=messages))
    make_ranking(project=project, order=())
    export = exported_as(project, "rankings", "trl")
    folder = directory_of(export)
    manifest = manifest_of(export)
    assert set(manifest["files"]) == {"train.jsonl", "validation.jsonl", "test.jsonl", "README.md", "card.md"}
    assert manifest["format"] == "trl"
    counts = manifest["counts"]
    assert (counts["lost"]["abstentions"], counts["lost_in"]["abstentions"]) == (1, 1)
    assert (counts["lost"]["tied pairs"], counts["lost_in"]["tied pairs"]) == (40, 40)
    assert (counts["lost"]["ids of completions"], counts["lost_in"]["ids of completions"]) == (41 * 4, 41)
    sizes = {name: len((folder / f"{name}.jsonl").read_text().splitlines()) for name in ("train", "validation", "test")}
    assert sum(sizes.values()) == 40 * 5
    readme = (folder / "README.md").read_text()
    assert readme.startswith(
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: train.jsonl"
    )
    card = (folder / "card.md").read_text()
    assert "## What this format cannot hold" in card
    assert "| tied pairs | two completions that are equally good | 40 | 40 |" in card
    assert "| ratings | what was said of a completion alone | 0 | 0 |" in card


@pytest.mark.django_db
def test_the_card_says_what_was_lost_and_in_how_many_records(project: Project) -> None:
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    make_ranking(project=project, comparison=make_comparison(project=project, messages=said))
    make_ranking(project=project)
    card = (directory_of(exported_as(project, "rankings", "hh")) / "card.md").read_text()
    assert "| system messages | what stands before the user's first words | 1 | 1 |" in card
    turns = [("user", "Hi"), ("assistant", "Hello."), ("user", "Why?"), ("user", "And?")]
    make_dialogue(
        project=project, state=Dialogue.State.ACCEPTED, turns=[(role, text, "imported") for role, text in turns]
    )
    make_dialogue(project=project, state=Dialogue.State.ACCEPTED)
    export = exported_as(project, "demonstrations", "openai")
    cut = "nothing is learnt of them, and readers refuse them; cut off"
    assert f"| messages after the last answer | {cut} | 2 | 1 |" in (directory_of(export) / "card.md").read_text()
    for path in directory_of(export).glob("*.jsonl"):
        for line in path.read_text().splitlines():
            assert json.loads(line)["messages"][-1]["role"] == "assistant"


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["trl", "trl-implicit", "hh"])
def test_pairs_are_read_again_as_they_were(project: Project, name: str) -> None:
    messages = [{"role": "user", "content": "Why is\nthe sky blue?"}]
    make_ranking(project=project, comparison=make_comparison(project=project, messages=messages))
    (path,) = directory_of(exported_as(project, "rankings", name)).glob("t*.jsonl")
    known = detect(path, kind="rankings")
    reads = list(read_records(EntryReader(path), known, "rankings"))
    assert known.name == ("hh" if name == "hh" else "trl")
    assert [one for one in reads if isinstance(one, Refusal)] == []
    pairs = set()
    for one in reads:
        (record,) = one.records  # type: ignore[union-attr]
        contents = {completion.id: completion.content for completion in record.completions}
        pairs.add(tuple(contents[tier[0]] for tier in record.tiers))
        assert [message.content for message in record.messages] == ["Why is\nthe sky blue?"]
    numbers = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3)]
    assert pairs == {(f"Answer {better}.", f"Answer {worse}.") for better, worse in numbers}


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["openai", "prompt-completion"])
def test_demonstrations_are_read_again(project: Project, name: str) -> None:
    make_dialogue(project=project, state=Dialogue.State.ACCEPTED)
    (path,) = directory_of(exported_as(project, "demonstrations", name)).glob("*.jsonl")
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    messages = lines[0]["messages"] if name == "openai" else [*lines[0]["prompt"], *lines[0]["completion"]]
    assert [(one["role"], one["content"]) for one in messages] == [
        ("user", "What is the capital of France?"), ("assistant", "Paris."),
    ]  # fmt: skip


@pytest.mark.django_db
def test_the_same_rows_give_the_same_bytes_in_every_format(project: Project) -> None:
    make_ranking(project=project)
    make_dialogue(project=project, state=Dialogue.State.ACCEPTED)
    make_prompt(project=project)
    for output in FORMATS:
        first, again = (exported_as(project, output.kind, output.name) for _ in range(2))
        assert first.manifest_sha256 == again.manifest_sha256


@pytest.mark.django_db
def test_a_file_of_trees_does_not_say_when_it_was_written(project: Project) -> None:
    make_ranking(project=project)
    (path,) = directory_of(exported_as(project, "rankings", "oasst")).glob("*.gz")
    assert path.read_bytes()[4:8] == bytes(4)
