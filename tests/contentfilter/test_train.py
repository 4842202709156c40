"""Training and evaluating as commands: what is planted is found, the same bytes come twice, and refusals are clear."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from contentfilter.categories import CATEGORIES
from contentfilter.content_filter import HEADS_FILE, FilterError, load_filter
from contentfilter.train import TrainConfig, main
from records.manifest import verify_directory
from tests.contentfilter.made_up import SIGNS, texts, write

HARMLESS = [{"text": f"What grows beside the river in winter, number {number}?"} for number in range(60)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filter")
    data, harmless = write(folder / "data.jsonl", texts(320)), write(folder / "chat.jsonl", HARMLESS)
    main(TrainConfig(data=data, harmless=(harmless,), out=folder / "out", licences=("made up for a test",)))
    return folder


def test_what_is_planted_is_found_in_texts_never_seen(trained: Path) -> None:
    content_filter = load_filter(trained / "out")
    for name, sign in SIGNS.items():
        (screening,) = content_filter.screen([f"in the morning {sign} by the window"])
        assert max(screening.probabilities, key=screening.probabilities.__getitem__) == name
    (harmless,) = content_filter.screen(["What grows beside the river in winter, tell me?"])
    assert (harmless.verdict, harmless.category) == ("pass", None)
    assert [one.verdict for one in content_filter.screen(["", " \u200b\n"])] == ["pass", "pass"]


def test_the_directory_says_what_it_was_made_of(trained: Path) -> None:
    facts = verify_directory(trained / "out")
    assert [(row["name"], row["as"]) for row in facts["data"]] == [
        ("data.jsonl", "labelled"),
        ("chat.jsonl", "harmless"),
    ]
    assert facts["figures_out_of_fold"]["any"]["auprc"]["value"] > 0.9
    card = (trained / "out" / "card.md").read_text()
    for words in ("made up for a test", "It knows content, not harm", facts["data"][0]["sha256"]):
        assert words in card


def test_the_same_data_and_seed_give_the_same_bytes(trained: Path) -> None:
    config = {"data": trained / "data.jsonl", "harmless": (trained / "chat.jsonl",)}
    main(TrainConfig(out=trained / "again", licences=("made up for a test",), **config))
    for name in (HEADS_FILE, "card.md", "manifest.json"):
        assert (trained / "again" / name).read_bytes() == (trained / "out" / name).read_bytes()
    main(TrainConfig(out=trained / "other", seed=1, **config))
    assert (trained / "other" / HEADS_FILE).read_bytes() != (trained / "out" / HEADS_FILE).read_bytes()


def test_a_damaged_filter_is_refused(trained: Path, tmp_path: Path) -> None:
    for path in (trained / "out").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / HEADS_FILE).write_bytes(b"0" * 100)
    with pytest.raises(FilterError, match="damaged"):
        load_filter(tmp_path)


def run(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"contentfilter.{module}", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_evaluation_prints_figures_with_intervals(trained: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "held_out.jsonl", texts(120, seed=9))
    done = run("evaluate", "--model", trained / "out", "--data", data, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["ece"]["low"] <= report["ece"]["value"] <= report["ece"]["high"]
    assert report["macro"]["auprc"]["value"] > 0.9
    assert set(report["categories"]) == set(CATEGORIES)
    assert report["any"]["auprc"]["value"] > 0.9
    assert not report["was_trained_on"]
    table = run("evaluate", "--model", trained / "out", "--data", trained / "data.jsonl")
    assert "these figures flatter it" in table.stderr
    assert "sexual, of minors" in table.stdout
    chat = run("evaluate", "--model", trained / "out", "--data", trained / "chat.jsonl", "--harmless", "--json")
    assert json.loads(chat.stdout)["warned"]["value"] <= 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--num-folds", "1"], "--num-folds must be at least 2"),
        (["--strength-ngrams", "0"], "--strength-ngrams must be above 0"),
        (["--data", "nowhere.jsonl"], "nowhere.jsonl: no such file"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    trained: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    given = ["--data", trained / "data.jsonl", "--out", tmp_path / "out", *options]
    refused = run("train", *given)
    assert (refused.returncode, message in refused.stderr) == (2, True), refused.stderr
    assert not (tmp_path / "out").exists()


def test_a_category_that_nobody_has_found_cannot_be_learned(trained: Path, tmp_path: Path) -> None:
    rows = [row | {"SH": 0} for row in texts(320)]
    refused = run("train", "--data", write(tmp_path / "data.jsonl", rows), "--out", tmp_path / "out")
    assert refused.returncode == 2
    assert "category SH has 0 texts with “yes”" in refused.stderr
