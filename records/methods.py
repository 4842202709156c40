"""The methods section of an export, as Markdown to paste into a paper: `python -m records.methods DIR`.

Written from the export's manifest alone, so that it is the same wherever the files are, whatever became of the rows.
People are numbers, never names. What an export of an earlier version did not record is said to be not recorded.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from records.manifest import MANIFEST, ManifestError, sha256_of, verify_directory

_NOT_RECORDED = "not recorded"
_RECORDS = {
    "rankings": ("ranking", "rankings"),
    "demonstrations": ("demonstration", "demonstrations"),
    "prompts": ("prompt", "prompts"),
    "thumbs": ("thumb", "thumbs"),
    "labels": ("labelled text", "labelled texts"),
}
_KINDS_OF_TRAINERS = {
    "author": ("author", "authors"),
    "person": ("person", "people"),
    "simulated": ("simulated trainer (a program with a fixed preference)", "simulated trainers (programs)"),
    "imported": ("trainer of imported files", "trainers of imported files"),
    "visitor": ("visitor of a public preview", "visitors of a public preview"),
}
_LEFT_OUT = {
    "retracted": "taken back by whoever made them",
    "withdrawn": "withdrawn",
    "withdrawn_adjudications": "withdrawn adjudications",
    "gold": "rankings of gold items, which check trainers",
    "chats": "chats, whose answers are a policy's",
    "retired": "retired prompts",
}
_FILTERS = {
    "rounds": "rounds {}",
    "since": "from {}",
    "until": "up to and with {}",
    "trainer_kinds": "made by: {}",
    "topics": "topics {}",
    "states": "in the states {}",
    "guideline_versions": "under guideline versions {}",
    "agreement_at_least": "comparisons on which trainers agree in at least {} % of the ordered pairs",
    "disagreements": "where rankings differ: {}",
}


def methods_section(manifest: Mapping[str, Any], *, manifest_sha256: str) -> str:
    """The section as Markdown that ends with a line end. `manifest` is that of an export of any version.

    `manifest_sha256` is of its file; the section names the export by it. Raises ManifestError where the manifest is
    none of an export.
    """
    kind, counts = manifest.get("kind"), manifest.get("counts")
    if kind not in _RECORDS or not isinstance(counts, Mapping):
        raise ManifestError('this manifest has no "kind" and "counts"; name the directory of an export')
    facts = manifest.get("methods") or {}
    paragraphs = {
        "Data": _data(kind, counts),
        "Trainers": _trainers(kind, counts, facts),
        "Guidelines": _guidelines(manifest, facts),
        "Completions": _completions(counts, facts) if kind in ("rankings", "thumbs") else "",
        "Assignment": _assignment(facts) if kind == "rankings" else "",
        "Agreement": _agreement(facts) if kind == "rankings" else "",
        "Exclusions": _exclusions(kind, manifest, counts, facts),
        "Splits": _splits(manifest, counts),
        "Reproduction": _reproduction(manifest, facts, manifest_sha256),
    }
    lines = ["## Methods", ""]
    for title, text in paragraphs.items():
        if text:
            lines += [f"**{title}.** {text}", ""]
    cited = list(_references(kind, facts))
    if cited:
        lines += ["References:", "", *(f"- {one}" for one in cited), ""]
    return "\n".join(lines)


def _data(kind: str, counts: Mapping[str, Any]) -> str:
    text = f"The data are {_num(counts['records'], *_RECORDS[kind])}"
    if kind == "rankings":
        text += f" of {_num(counts['comparisons'], 'comparison', 'comparisons')}. A comparison is one prompt with its "
        text += "completions; several may share a prompt. "
        text += f"The rankings order {_num(counts['pairs'], 'pair', 'pairs')} of completions and tie "
        text += f"{counts['tied_pairs']:,}; "
        text += f"{_num(counts['abstained'], 'record is an abstention', 'records are abstentions')}, without an order"
        if given := counts.get("adjudicated"):
            text += f"; {_num(given, 'record is an adjudication', 'records are adjudications')}, the order that a "
            text += "reviewer gave where trainers differed"
    if kind == "demonstrations":
        text += f" with {_num(counts['answers'], 'answer', 'answers')}"
        text += f" ({_listed(counts['by_authorship'])})" if counts.get("by_authorship") else ""
    if kind == "thumbs":
        text += f": {counts['up']:,} up and {counts['down']:,} down"
    return f"{text}."


def _trainers(kind: str, counts: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    if kind == "prompts":
        return ""
    named = facts.get("trainers")
    if kind == "labels":
        return f"Number and kinds of the people who labelled: {_NOT_RECORDED}."
    if named is None:
        return f"{_num(counts['trainers'], 'trainer', 'trainers')}; how many of which kind: {_NOT_RECORDED}."
    if not any(named.values()):
        return "Of no record is it known who made it."
    shown = "; ".join(_num(num, *_KINDS_OF_TRAINERS.get(name, (name, name))) for name, num in named.items() if num)
    made = counts.get("by_trainer_kind")
    also = " (adjudications among them, which reviewers made)" if counts.get("adjudicated") else ""
    return f"{shown}." + (f" Records by the kind of who made them: {_listed(made)}{also}." if made else "")


def _guidelines(manifest: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    versions = manifest.get("guideline_versions") or []
    if not versions:
        return "No record names a version of guidelines."
    known = facts.get("guidelines")
    if known is None:
        shown = ", ".join(map(str, versions))
        return f"Versions of the guidelines: {shown}; their dates and hashes: {_NOT_RECORDED}."
    each = "; ".join(f"version {one['version']} of {one['date']} (SHA-256 `{one['sha256']}`)" for one in known)
    return f"The records were made under these guidelines: {each}."


def _completions(counts: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    by_policy = counts.get("by_policy")
    text = f"Completions by policy: {_listed(by_policy)}" if by_policy else "No completion names its policy"
    text += '; "none" stands for completions that name no policy. ' if "none" in (by_policy or {}) else ". "
    if "policies" not in facts:
        return f"{text}Hashes of the policies and how they were sampled: {_NOT_RECORDED}."
    each = [_policy(one) for one in facts["policies"]]
    text += f"Models: {'; '.join(each)}. " if each else ""
    if "sampling" not in facts:
        return text.rstrip()
    ways = [
        f"{one['completions']:,} at temperature {one['temperature']:g}, top-p {one['top_p']:g}, "
        f"{'no top-k' if not one['top_k'] else 'top-k ' + str(one['top_k'])}, at most {one['max_new_tokens']:,} tokens"
        for one in facts["sampling"]
    ]
    if not ways:
        return f"{text}No completion records how it was sampled."
    return f"{text}Sampled: {'; '.join(ways)}. Each of these completions is stored with its seed."


def _policy(one: Mapping[str, Any]) -> str:
    if one["backend"] != "local":
        return f"{one['name']}, on an external server, whose weights have no hash here"
    sha256, parent = one["manifest_sha256"], one["parent_sha256"]
    text = f"{one['name']} (SHA-256 of its manifest `{sha256}`" if sha256 else f"{one['name']} (hash {_NOT_RECORDED}"
    return f"{text}, trained from `{parent}`)" if parent else f"{text})"


def _assignment(facts: Mapping[str, Any]) -> str:
    given = facts.get("assignment")
    if given is None:
        return f"How comparisons were assigned: {_NOT_RECORDED}."
    gold = f"one comparison in {given['gold_every']:,} was a gold item" if given["gold_every"] else "no gold items"
    practice = "newcomers had to practise first" if given["practice_required"] else "no practice was required"
    own = "nobody ranked a completion of their own" if given["forbids_own_text"] else "own completions could be ranked"
    return (
        "Trainers on the platform took comparisons from one queue: first those that others had already ranked, then "
        "those of the newest round, otherwise in random order. Completions were shown in an order drawn at random "
        "for each trainer, without the names of the policies. As the project was set when the export was made "
        f"(settings may have been others before): {given['num_completions']:,} completions a comparison, "
        f"{_num(given['rankings_wanted'], 'ranking', 'rankings')} wanted of each, {gold}, {practice}, {own}. "
        "Imported rankings were assigned elsewhere."
    )


def _agreement(facts: Mapping[str, Any]) -> str:
    if "agreement" not in facts:
        return f"Agreement between trainers with its interval: {_NOT_RECORDED}."
    rate = facts["agreement"]
    if rate is None:
        return "No two trainers ordered the same pair of completions, so agreement cannot be computed."
    return (
        f"Two trainers ordered a pair of completions alike in {100 * rate['value']:.1f} % of {rate['n']:,} cases (95 % "
        f"Wilson interval {100 * rate['low']:.1f} to {100 * rate['high']:.1f} %). A case is one pair that two rankings "
        "of the same comparison both order; ties, abstentions, choices of one best completion and adjudications are "
        "left out, and of each comparison a ranking is set against the first twelve at most. Cases of one comparison "
        "are not independent of each other, so the true uncertainty is larger than this interval. "
        "Trainers of all kinds above are in it."
    )


def _exclusions(kind: str, manifest: Mapping[str, Any], counts: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    left_out = counts.get("left_out") or {}
    never = "; ".join(f"{num:,} {_LEFT_OUT.get(name, name)}" for name, num in left_out.items())
    text = (
        f"Left out of every export of the project: {never}. "
        if never
        else "Nothing had been taken back, withdrawn or retired. "
    )
    filters = manifest.get("filters") or {}
    parts = [shown.format(_shown(filters[name])) for name, shown in _FILTERS.items() if filters.get(name)]
    if filters.get("trainers"):  # whose pseudonyms the manifest lists; a paper gets their number
        parts.append(f"the work of {_num(len(filters['trainers']), 'chosen trainer', 'chosen trainers')}")
    text += f"Filters: {'; '.join(parts)}. " if parts else "No filter was set. "
    unfiltered = facts.get("unfiltered")
    if parts:
        num = _NOT_RECORDED if unfiltered is None else f"{unfiltered:,}"
        text += f"Records without any filter: {num}; with them: {counts['records']:,}. "
    if kind == "rankings" and not filters.get("states"):
        text += "Finished rankings of comparisons that still wait for others are included. "
    if filters.get("scrubs_personal_data"):
        taken = counts.get("scrubbed")
        text += "Personal data that a program can recognise were replaced in the texts"
        text += f" ({_listed(taken)}). " if taken else " (none was found). "
    if counts.get("lost"):
        text += f"The format “{manifest.get('format')}” cannot hold everything; card.md says what was lost. "
    return text.rstrip()


def _splits(manifest: Mapping[str, Any], counts: Mapping[str, Any]) -> str:
    given = manifest.get("splits")
    if not given:
        return ""
    what = "the trainer's pseudonym" if given["by"] == "trainer" else "what the user says first in a prompt"
    return (
        f"A hash of {what} decides the split: {given['train']} % train, {given['validation']} % validation, "
        f"{given['test']} % test. Records in each: {_listed(counts.get('by_split') or {}) or 'none'}."
    )


def _reproduction(manifest: Mapping[str, Any], facts: Mapping[str, Any], manifest_sha256: str) -> str:
    version = f"Parley {facts['parley']}" if facts.get("parley") else f"Parley (version {_NOT_RECORDED})"
    return (
        f"Exported by {version} in format version {manifest.get('format_version', _NOT_RECORDED)}; the SHA-256 of the "
        f"export's manifest, which binds every file, is `{manifest_sha256}`."
    )


def _references(kind: str, facts: Mapping[str, Any]) -> Iterator[str]:
    if kind == "rankings" and facts.get("agreement"):
        yield (
            "N. Stiennon et al. Learning to summarize from human feedback. NeurIPS 2020, appendix C.2 (agreement on "
            "pairs)."
        )
        yield (
            "E. B. Wilson. Probable inference, the law of succession, and statistical inference. Journal of the "
            "American Statistical Association 22 (1927), 209–212 (interval)."
        )


def _num(num: int, one: str, several: str) -> str:
    return f"{num:,} {one if num == 1 else several}"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{_plain(name)} {num:,}" for name, num in counts.items())


def _shown(value: Any) -> str:
    return _plain(", ".join(map(str, value)) if isinstance(value, list) else str(value))


def _plain(text: str) -> str:
    """A text of people inside a sentence: no line ends, and Markdown's characters escaped."""
    return " ".join(text.split()).translate({ord(mark): f"\\{mark}" for mark in "\\`*<>[]#"})[:200]


def main(arguments: list[str]) -> int:
    """Print the section of the export in a directory, once every file of it is what its manifest says."""
    if len(arguments) != 1:
        print("usage: python -m records.methods DIR (the directory of an export)", file=sys.stderr)
        return 2
    try:
        manifest = verify_directory(arguments[0])
        text = methods_section(manifest, manifest_sha256=sha256_of(f"{arguments[0]}/{MANIFEST}"))
    except (ManifestError, OSError) as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return 2
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
