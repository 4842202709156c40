"""The pages of docs/ tell the truth: what they name is there, and the README's tree is the tree."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
LABELING = CHECKOUT / "labeling"
PACKAGES = [path.parent.name for path in CHECKOUT.glob("*/__init__.py")]
PAGES = sorted(
    [*CHECKOUT.glob("docs/**/*.md"), *(CHECKOUT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY"))]
)
_NAME = re.compile(rf"`((?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_][A-Za-z0-9_]*)+)")
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
_LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)\)")


def found_on_pages(pattern: re.Pattern[str]) -> list[tuple[Path, Any]]:
    """Every match with its page: most pages have none of a kind, so one page alone would prove nothing."""
    return [(page, match) for page in PAGES for match in pattern.findall(page.read_text(encoding="utf-8"))]


@cache
def defined_in(path: Path) -> set[str]:
    """Every name that a file defines, methods and fields as Class.name."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        names |= names_of(node)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{name}" for member in node.body for name in names_of(member)}
    return names


def names_of(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return {node.target.id}
    if isinstance(node, ast.ImportFrom | ast.Import):
        return {alias.asname or alias.name for alias in node.names}
    return set()


def exists(dotted: str) -> bool:
    """Whether a module, or a name that a module defines, is there."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        place = CHECKOUT.joinpath(*parts[:cut])
        rest = ".".join(parts[cut:])
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.exists() and (not rest or rest in defined_in(file)):
                return True
        if place.is_dir() and not rest:
            return True
    return False


def test_every_function_and_module_that_a_page_names_is_there() -> None:
    named = found_on_pages(_NAME)
    assert len(named) > 100
    assert not [f"{page.name}: {name}" for page, name in named if not exists(name)]


def test_every_test_that_a_page_names_is_there() -> None:
    named = found_on_pages(_TEST)
    assert len(named) > 50
    missing = []
    for page, (file, name) in named:
        path = CHECKOUT / file
        if not path.exists() or (name and name not in defined_in(path)):
            missing.append(f"{page.name}: {file}::{name}")
    assert not missing


def test_every_link_leads_somewhere() -> None:
    links = found_on_pages(_LINK)
    assert len(links) > 15
    assert not [f"{page.name}: {target}" for page, target in links if not (page.parent / target).exists()]


def test_every_place_that_the_map_names_is_there() -> None:
    """Paths of CONTRIBUTING, from the root or from labeling/; ROOM and NAME stand for any."""
    text = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = {found for found in re.findall(r"`([\w.]+/[\w./]*)`", text) if "ROOM" not in found}
    assert len(named) > 30  # else the pattern finds nothing, and nothing is wrong
    assert not [name for name in sorted(named) if not any((root / name).exists() for root in (CHECKOUT, LABELING))]


def test_the_readme_is_short_and_its_tree_is_the_tree() -> None:
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 600
    listed = set(re.findall(r"^(\w+)/ ", text, flags=re.MULTILINE))
    present = {path.parent.name for path in CHECKOUT.glob("*/__init__.py")} | {"tests", "docs", "deploy"}
    assert listed == present


def test_every_record_field_is_documented() -> None:
    page = (CHECKOUT / "docs" / "records.md").read_text(encoding="utf-8")
    sources = [(CHECKOUT / "records" / name).read_text(encoding="utf-8") for name in ("types.py", "screening.py")]
    fields = {
        name
        for source in sources
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
        for member in node.body
        if isinstance(member, ast.AnnAssign)
        for name in names_of(member)
    }
    assert len(fields) > 40
    assert not [name for name in sorted(fields) if f"`{name}`" not in page]
