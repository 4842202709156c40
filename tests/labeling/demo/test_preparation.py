"""What the demo begins with: conversations drawn by seed, and a policy that is checked before it is used."""

import json
from pathlib import Path
from typing import Any

import pytest

from labeling.demo import workspace
from labeling.demo.options import DemoOptions
from labeling.demo.polling import StepFailed
from labeling.demo.preparation import draw_conversations, import_human_rankings, import_prompts
from labeling.demo.state import Loop
from labeling.models import Ranking
from labeling.sampling.mixtures import mixture_of
from records import read_manifest, verify_directory
from tests.labeling.factories import make_policy, make_project


def conversation(*texts: str, senders: str = "abababab") -> dict[str, Any]:
    return {"messages": [[{"text": text, "sender": sender}] for text, sender in zip(texts, senders, strict=False)]}


def make_conversations(num: int) -> dict[str, Any]:
    opening = "I just finished my first half marathon and can hardly walk."
    return {f"c{number:03d}": conversation(opening, "Well done!", f"Thanks, number {number}") for number in range(num)}


def test_the_seed_decides_which_conversations_are_drawn() -> None:
    whole = make_conversations(50)
    first = draw_conversations(whole, num=10, seed=1, longest=400)
    assert draw_conversations(dict(reversed(whole.items())), num=10, seed=1, longest=400) == first
    assert draw_conversations(whole, num=10, seed=2, longest=400).keys() != first.keys()
    assert len(first) == 10


@pytest.mark.parametrize(
    "useless",
    [
        conversation("Hi!", "Hello.", "How are you?"),
        conversation("x" * 500, "What?", "Sorry."),
        conversation("A long monologue of more than sixty characters that nobody ever answers"),
        conversation("Somebody speaks on and on for more than sixty characters", "and on", "and on", senders="aaa"),
        {"messages": []},
        {},
    ],
)
def test_openings_that_say_nothing_or_too_much_are_passed_over(useless: dict[str, Any]) -> None:
    drawn = draw_conversations({**make_conversations(2), "useless": useless}, num=10, seed=0, longest=400)
    assert drawn.keys() == {"c000", "c001"}


@pytest.fixture
def store(tmp_path: Path, settings: Any) -> Path:
    settings.PARLEY_STORE = tmp_path / "store"
    return tmp_path / "store"


def test_a_published_policy_is_linked_and_not_copied(tiny_policy: Path, store: Path) -> None:
    before = read_manifest(tiny_policy)
    assert workspace.install_policy(tiny_policy) == "policies/tiny"
    verify_directory(store / "policies" / "tiny")
    assert (store / "policies" / "tiny" / "config.json").samefile(tiny_policy / "config.json")
    assert read_manifest(tiny_policy) == before


def test_a_policy_from_elsewhere_gets_a_manifest_of_its_own(tiny_policy: Path, store: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "My-Model"
    elsewhere.mkdir()
    for path in tiny_policy.iterdir():
        if path.name != "manifest.json":
            (elsewhere / path.name).write_bytes(path.read_bytes())
    assert workspace.install_policy(elsewhere) == "policies/my-model"
    verify_directory(store / "policies" / "my-model")
    assert not (elsewhere / "manifest.json").exists()


def test_a_damaged_policy_is_refused_by_name(tiny_policy: Path, store: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in tiny_policy.iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    (damaged / "config.json").write_text("{}")
    with pytest.raises(StepFailed, match=r"config\.json is damaged"):
        workspace.install_policy(damaged)


def test_a_folder_without_a_model_is_refused(store: Path, tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="holds no model"):
        workspace.install_policy(tmp_path)


@pytest.mark.django_db
def test_the_demo_samples_as_ppo_does_and_not_as_people_are_met(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "demo_folder", lambda: tmp_path)
    loop = Loop(options=DemoOptions(conversations=2))
    loop.start = make_policy()
    import_prompts(loop)
    assert (loop.project.temperature, mixture_of(loop.project)) == (1.0, [])


def write_rankings(path: Path, num: int, *, last: str = "") -> Path:
    """Pairs in the spelling of trl's preference data sets."""
    pairs = (
        {
            "prompt": [{"role": "user", "content": f"What shall I cook for {number} guests on a rainy evening?"}],
            "chosen": [{"role": "assistant", "content": f"Soup for {number}, with bread."}],
            "rejected": [{"role": "assistant", "content": "I do not know."}],
        }
        for number in range(num)
    )
    path.write_text("".join(f"{json.dumps(pair)}\n" for pair in pairs) + last)
    return path


def make_loop(rankings: Path, **changes: Any) -> Loop:
    loop = Loop(options=DemoOptions(rankings=rankings, **changes))
    loop.project = make_project()
    return loop


@pytest.mark.django_db
def test_people_s_rankings_come_in_as_far_as_was_asked_for(tmp_path: Path) -> None:
    loop = make_loop(write_rankings(tmp_path / "pairs.jsonl", 5), ranking_entries=3)
    assert import_human_rankings(loop) == "3 rankings by people from pairs.jsonl (trl)"
    assert loop.sizes == {"rankings": 3}
    assert Ranking.objects.filter(comparison__project=loop.project, trainer=None).count() == 3


@pytest.mark.django_db
def test_a_bad_line_among_people_s_rankings_is_named_and_nothing_comes_in(tmp_path: Path) -> None:
    loop = make_loop(write_rankings(tmp_path / "pairs.jsonl", 2, last='{"prompt": \n'))
    with pytest.raises(StepFailed, match=r"^pairs\.jsonl:3: not JSON"):
        import_human_rankings(loop)
    assert not Ranking.objects.exists()
