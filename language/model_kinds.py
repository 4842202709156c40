"""What a directory holds, told from its manifest and configuration before anything of it is loaded.

A reward model's weights would load as a policy whose words come out of nowhere, and be trained and published; so an
option of a program says what its directory must hold (`PolicyDirectory` …), and every program refuses another at once.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

from language.options import OptionError, flag
from records.manifest import MANIFEST

POLICY, REWARD_MODEL = "policy", "reward_model"

_CALLED = {
    POLICY: "a policy",
    REWARD_MODEL: "a reward model",
    "content-filter": "a content filter",
    "best_of_n": "the samples and the curve of best-of-n",
    "overoptimisation": "a study of over-optimisation",
    "training_state": "a run's resumable state",
}
_WANTED = {
    POLICY: "a policy, a language model that answers (python -m policy.sft publishes one)",
    REWARD_MODEL: "a reward model (python -m rewardmodel.train publishes one)",
}
# How transformers' classes are called; other endings tell nothing.
_ENDINGS = {
    "ForCausalLM": POLICY,
    "LMHeadModel": POLICY,
    "ForSequenceClassification": REWARD_MODEL,
    "ForTokenClassification": "",
    "ForMaskedLM": "",
    "ForQuestionAnswering": "",
}


@dataclass(frozen=True)
class Found:
    """What a directory holds: one of the kinds above, or another manifest's; `evidence` is where that stands."""

    kind: str
    evidence: str

    @property
    def sentence(self) -> str:
        """What it is, in words."""
        return f"holds {_CALLED.get(self.kind, 'something else')} ({self.evidence})"


@dataclass(frozen=True)
class Holds:
    """Beside a Path in the type of an option: which kinds its directory may hold."""

    kinds: tuple[str, ...]


PolicyDirectory = Annotated[Path, Holds((POLICY,))]
RewardModelDirectory = Annotated[Path, Holds((REWARD_MODEL,))]
ModelDirectory = Annotated[Path, Holds((POLICY, REWARD_MODEL))]


def find_kind(directory: Path) -> Found | None:
    """What `directory` says that it holds; None where nothing in it tells."""
    kind = _read(directory / MANIFEST).get("kind")
    if isinstance(kind, str):
        return Found(kind, f'{MANIFEST}: "kind" is {kind}')
    architectures = _read(directory / "config.json").get("architectures")
    for name in architectures if isinstance(architectures, list) else []:
        for ending, told in _ENDINGS.items():
            if str(name).endswith(ending):
                return Found(told, f'config.json: "architectures" names {name}')
    return None


def problem_with(directory: Path, kinds: tuple[str, ...]) -> str | None:
    """A sentence where `directory` surely holds none of `kinds`; None where it does, or where nothing tells."""
    found = find_kind(directory)
    if found is None or found.kind in kinds:
        return None
    return f"{directory}: {found.sentence}; wanted is {' or '.join(_WANTED[kind] for kind in kinds)}"


def require_models(config: Any) -> None:
    """Raise OptionError where an option that is a model's directory names none, or one of another kind."""
    for name, directory, kinds in directories_of(config):
        if not directory.is_dir():
            raise OptionError(f"{flag(name)} {directory}: no such directory; give the path of a model directory")
        if problem := problem_with(directory, kinds):
            raise OptionError(f"{flag(name)} {problem}")


def directories_of(config: Any) -> Iterator[tuple[str, Path, tuple[str, ...]]]:
    """The model directories that a configuration names: option, path, and the kinds that it may hold."""
    for name, annotation in get_type_hints(type(config), include_extras=True).items():
        marked = [part for part in _parts_of(annotation) if isinstance(part, Holds)]
        value = getattr(config, name, None)
        for path in value if isinstance(value, tuple) else (value,):
            if marked and path is not None:
                yield name, path, marked[0].kinds


def _parts_of(annotation: Any) -> Iterator[Any]:
    """An annotation with all that it is made of, to any depth."""
    yield annotation
    for part in (*get_args(annotation), *getattr(annotation, "__metadata__", ())):
        yield from _parts_of(part)


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is none: whoever loads the directory says what is wrong with it."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
