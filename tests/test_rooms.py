"""The rooms of labeling/: few modules at its root, few files in a room, an opening that says what a room is not.

Which room may know which is in pyproject.toml, for import-linter.
"""

import ast
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
LABELING = CHECKOUT / "labeling"
MOST_AT_THE_ROOT = 12
MOST_IN_A_FOLDER = 25
FRAMEWORK = {"management", "migrations", "templatetags"}  # folders that Django looks for, each with a rule of its own

# Modules of labeling before it had rooms. What stands beside them in a text is a reader sent astray.
OLD_MODULES = """
access agreement assignment bettering board charts chatting command_progress comparing comparing_policies
contests control_arm dialogue_lists doorbell downloads edit_distance engines english exporting failed_comparisons
families fences fingerprints forms gold_figures gold_scores importing intervals inventory keysets length_bias lineage
listing logistic lost_runs metric_rows middleware mixtures near_duplicates next_steps outside pace personal places
policies practice_results practising presence prompt_pool prose ranking_words reference_figures references regenerating
reviewing sampling_progress scales secret_key shell shuffling simulated source_figures starting static_files stations
strengths submissions suggesting sweeping tokens training_curves training_jobs training_material views
word_differences workers writing writing_rules
"""
OLD_WORDS = """
doorbell ring_for broom leash bettering relative_of join_written Contest Station ShellStation
rewardmodel.likeness sampler.backends.gates language.drawing training.leash
rewardmodel.charts labeling.web.charts labeling.web.chart_scales
tests.labeling.cast tests.browser.bread tests.browser.looking tests.labeling.views tests.engines
"""
SALT = 'salted_hmac("labeling.gold_turns"'  # a key of its own, part of schedules that have begun


def rooms() -> list[Path]:
    return sorted(path.parent for path in LABELING.glob("*/__init__.py") if path.parent.name not in FRAMEWORK)


def texts() -> list[Path]:
    folders = [path.parent for path in CHECKOUT.glob("*/__init__.py")] + [CHECKOUT / "tests", CHECKOUT / "docs"]
    kinds = {".py", ".md", ".html", ".js", ".css", ".conf", ".toml"}
    found = [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix in kinds]
    found += [*CHECKOUT.glob("*.md"), *CHECKOUT.glob("*.toml"), *CHECKOUT.glob("*.yml"), CHECKOUT / "Makefile"]
    return [path for path in found if path != Path(__file__) and "seed" not in path.parts]


def test_there_is_something_to_look_at() -> None:
    assert len(rooms()) >= 18
    assert len(texts()) > 300


def test_the_root_of_labeling_is_small() -> None:
    at_the_root = sorted(path.name for path in LABELING.glob("*.py") if path.name != "__init__.py")
    assert len(at_the_root) <= MOST_AT_THE_ROOT, at_the_root


def test_no_folder_holds_more_files_than_one_can_take_in() -> None:
    folders = [folder for room in rooms() for folder in (room, *(path for path in room.rglob("*") if path.is_dir()))]
    crowded = {
        str(folder.relative_to(CHECKOUT)): num
        for folder in folders
        if (num := len(list(folder.glob("*.py")))) > MOST_IN_A_FOLDER
    }
    assert not crowded


@pytest.mark.parametrize("room", rooms(), ids=lambda room: room.name)
def test_every_room_opens_with_what_it_is_for_and_what_it_does_not_know(room: Path) -> None:
    opening = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    first = (opening or "").splitlines()[0]
    assert re.search(r"\b([Kk]nows? (no|nothing|only|neither)|[Nn]o Django)\b", first), first


def test_no_name_of_before_the_rooms_is_left() -> None:
    modules = "|".join(OLD_MODULES.split())
    words = "|".join(map(re.escape, OLD_WORDS.split()))
    old = re.compile(rf"(?<![\w./-])(?:labeling[./](?:{modules})(?![\w-])|(?:{words})(?!\w))")
    left = [
        f"{path.relative_to(CHECKOUT)}:{number}: {found.group()}"
        for path in texts()
        for number, line in enumerate(path.read_text(encoding="utf-8").replace(SALT, "").splitlines(), start=1)
        if (found := old.search(line))
    ]
    assert not left, "\n".join(left)
