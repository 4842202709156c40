"""What pages make of people's and models' text: it stays what was written, and it does no harm."""

from tests.mutants.mutant import platform_planter

_TESTS = "web/test_markdown.py"
_markdown = platform_planter("web/markdown.py", _TESTS)
_mathematics = platform_planter("web/mathematics.py", _TESTS)
_highlighting = platform_planter("web/highlighting.py", _TESTS)

MUTANTS = [
    _markdown("a year begins a list", "[1-9][0-9]{0,2}", "[1-9][0-9]{0,8}"),
    _markdown("a single number begins a list", ' or (len(numbers) == 1 and numbers != ["1"])', ""),
    _markdown("items are counted anew", 'token.attrSet("value", str(int(token.info)))', "pass"),
    _markdown("reference lines are swallowed", '["image", "reference"]', '["image"]'),
    _markdown("two backslashes become one", 'markdown.inline.ruler.at("escape", _escape)', "pass"),
    _markdown("only the first block has a direction", 'token.attrSet("dir", "auto")', "break"),
    _markdown("the raw text loses its carriage returns", '.replace("\\r", "&#13;")', ""),
    _mathematics("money becomes a formula", """ or _is_money(state.src[start:end].strip("$"))""", ""),
    _mathematics("a shell's variable becomes a formula", "if touches_word or ", "if "),
    _mathematics("macros are expanded", "or _REFUSED.search(latex) ", ""),
    _mathematics("an unknown environment is left out", "    if name is None:\n        raise NotConvertible\n", ""),
    _mathematics("half of a fraction is shown", "_CHILDREN[tag] not in (None, len(element))", "False"),
    _mathematics("text may leave its place", "if not _VALUE.fullmatch(value):", "if False:"),
    _mathematics(
        "a formula ends at what looks like a list",
        'markdown.block.ruler.at("math_block", _displayed',
        'markdown.block.ruler.at("math_block", lambda *_: False',
    ),
    _highlighting("the code's first and last lines are cut", ", stripnl=False, ensurenl=False", ""),
]
