"""Reading files: keys that are lost, orders that are turned round, corrections that do not count, cells misread."""

from collections.abc import Callable

from tests.mutants.mutant import Mutant, platform_planter


def _in(module: str, test: str) -> Callable[[str, str, str], Mutant]:
    return platform_planter(f"imports/{module}.py", f"imports/{test}.py")


_keys = _in("formats/keys", "test_keys")
_pairs = _in("formats/pair_orders", "test_pair_prompts")
_judged = _in("formats/judged_pairs", "test_judged_pairs")
_versions = _in("rankings", "test_corrected_rankings")
_tables = _in("tables", "test_tables")

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
    _judged("an unsafe answer is a demonstration", 'and not one.flags["safe"] for', "and False for"),
    _in("formats/helpsteer", "test_judged_pairs")(
        "the least helpful comes first", "(completion, -helpfulness)", "(completion, helpfulness)"
    ),
    _in("formats/rated", "test_judged_pairs")(
        "ranks count upwards", '_SMALLER_IS_BETTER = ("tiers", "ranks")', '_SMALLER_IS_BETTER = ("tiers",)'
    ),
    _in("formats/scored_texts", "test_judged_pairs")(
        "the lowest score comes first", "-number_of(score", "number_of(score"
    ),
    _in("formats/hh", "test_formats")("indentation is taken off", '.removeprefix(" "))', ".strip())"),
    _in("formats/ranking_tiers", "test_corrected_rankings")(
        "people with addresses are one", "name.lower().encode()", "b''"
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
    _in("detection", "test_keys")(
        "the first line decides",
        "        if matching:\n            return _first",
        "        if True:\n            return _first",
    ),
]
