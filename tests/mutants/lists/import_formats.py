"""Reading files: keys that are lost, orders that are turned round, corrections that do not count, cells misread."""

from tests.mutants.mutant import Mutant

_CODE, _TESTS = "labeling/imports/", "tests/labeling/imports/"


def _in(module: str, fault: str, before: str, after: str, test: str) -> Mutant:
    return Mutant(f"{_CODE}{module}.py", fault, ((before, after),), (f"{_TESTS}{test}.py",))


def _keys(fault: str, before: str, after: str) -> Mutant:
    return _in("formats/keys", fault, before, after, "test_keys")


def _pairs(fault: str, before: str, after: str) -> Mutant:
    return _in("formats/pair_orders", fault, before, after, "test_pair_prompts")


def _judged(fault: str, before: str, after: str) -> Mutant:
    return _in("formats/judged_pairs", fault, before, after, "test_judged_pairs")


def _versions(fault: str, before: str, after: str) -> Mutant:
    return _in("rankings", fault, before, after, "test_corrected_rankings")


def _tables(fault: str, before: str, after: str) -> Mutant:
    return _in("tables", fault, before, after, "test_tables")


MUTANTS = [
    _keys("a key that changes the meaning is only counted", "    if change := _change_of(key):\n", "    if False:\n"),
    _keys("only the first object of a list is looked into", "held[:_MOST_LISTED]", "held[:1]"),
    _keys("zero is no value", "value is None or value is False or", "value is None or not value or"),
    _keys("half a weight counts as a whole one", 'row[key] in (1, "1") and', ""),
    _keys("spelling hides a key", "filter(str.isalnum, key.lower())", "filter(str.isalnum, key)"),
    _pairs("equal scores are an order", "tied += (chosen, rejected) if better == worse else ()", "pass"),
    _pairs("scores that prefer the rejected one pass", "if better < worse:", "if False:"),
    _pairs("a margin below zero passes", "if margin < 0:", "if False:"),
    _pairs("no margin is an order", "return [_MARGIN] if margin == 0 else []", "return []"),
    _pairs("a verdict of a tie is passed over", "        if is_tie_word(value):\n            return [name]\n", ""),
    _pairs("a tie is a demonstration", "    if names := _keys_that_tie(row):\n", "    if names := []:\n"),
    _judged("the sign of a preference is turned round", "if preference < 0 else", "if preference > 0 else"),
    _judged("Reddit's labels are turned round", "if row[_SHP] == 1 else", "if row[_SHP] == 0 else"),
    _judged("two bad answers are acceptable", "if _both_are_bad(row) else ranking", "if False else ranking"),
    _judged("columns that contradict each other pass", "if len(set(verdicts)) > 1:", "if False:"),
    _judged("true is read as 1", " and not isinstance(value, bool) else", " else"),
    _judged("an unsafe answer is a demonstration", 'and not one.flags["safe"] for', "and False for"),
    _in(
        "formats/helpsteer",
        "the least helpful comes first",
        "(completion, -helpfulness)",
        "(completion, helpfulness)",
        "test_judged_pairs",
    ),
    _in(
        "formats/rated",
        "ranks count upwards",
        '_SMALLER_IS_BETTER = ("tiers", "ranks")',
        '_SMALLER_IS_BETTER = ("tiers",)',
        "test_judged_pairs",
    ),
    _in(
        "formats/scored_texts",
        "the lowest score comes first",
        "-number_of(score",
        "number_of(score",
        "test_judged_pairs",
    ),
    _in("formats/hh", "indentation is taken off", '.removeprefix(" "))', ".strip())", "test_formats"),
    _in(
        "formats/ranking_tiers",
        "people with addresses are one",
        "name.lower().encode()",
        "b''",
        "test_corrected_rankings",
    ),
    _versions(
        "what was corrected comes back",
        "        elif newer is not None:\n            del",
        "        elif False:\n            del",
    ),
    _versions(
        "the older version replaces the newer", "_ranked_at(newer) > old.ranked_at", "_ranked_at(newer) < old.ranked_at"
    ),
    _versions(
        "the first version in a file counts",
        "_ranked_at(one) > _ranked_at(known)",
        "_ranked_at(one) < _ranked_at(known)",
    ),
    _versions(
        "a correction leaves no trace",
        '    AuditEvent.note("correct imported ranking"',
        '    bool("correct imported ranking"',
    ),
    _tables("a row with a cell too many passes", "if len(cells) != len(header):", "if len(cells) < len(header):"),
    _tables("two columns of one name pass", "    if twice:\n", "    if False:\n"),
    _tables("true is a word everywhere", "if _VERDICTS.fullmatch(name.lower()) and", "if False and"),
    _tables(
        "a list that is no JSON is a text",
        '        raise RowError(f\'"{name}" begins',
        '        return cell\n        raise RowError(f\'"{name}" begins',
    ),
    _in(
        "detection",
        "the first line decides",
        "        if matching:\n            return _first",
        "        if True:\n            return _first",
        "test_keys",
    ),
]
