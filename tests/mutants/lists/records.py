"""Records: what is taken for one, what a manifest vouches for, and what a worker drops."""

from tests.mutants.mutant import Mutant


def _in(module: str, fault: str, before: str, after: str) -> Mutant:
    """A fault that the test file of the same name ought to find; that of types is the one of coding."""
    test = f"tests/records/test_{'coding' if module == 'types' else module}.py"
    if module == "malformed":  # the others start workers
        test += "::test_what_is_wrong_is_said_without_a_word_of_the_message"
    return Mutant(f"records/{module}.py", fault, ((before, after),), (test,))


def _manifest(fault: str, before: str, after: str) -> Mutant:
    return _in("manifest", fault, before, after)


def _coding(fault: str, before: str, after: str) -> Mutant:
    return _in("coding", fault, before, after)


def _types(fault: str, before: str, after: str) -> Mutant:
    return _in("types", fault, before, after)


MUTANTS = [
    _manifest("hashes are not compared", ' or sha256_of(path) != expected["sha256"]:', ":"),
    _manifest("a manifest may name what lies outside", "if not _SAFE_NAME.match(name):", "if False:"),
    _manifest(
        "a link stands for a file",
        "path.is_file() or path.is_symlink():\n            raise",
        "path.is_file():\n            raise",
    ),
    _manifest("foreign files are passed over", "    if foreign:\n", "    if False:\n"),
    _coding("true is read as 1", "    if type(value) is not int:", "    if not isinstance(value, int):"),
    _coding(
        "true is read as 1.0", "    if type(value) not in (int, float):", "    if not isinstance(value, int | float):"
    ),
    _coding("null stands for any value", "(value is None and optional)", "value is None"),
    _types("no line fits below the last tier", "0 <= line <= len(self.tiers)", "0 <= line < len(self.tiers)"),
    _types("a completion may be left out", "    require(not missing,", "    require(True,"),
    _types(
        "a shown order may leave some out",
        "sorted(self.shown_order) == sorted(ids)",
        "set(self.shown_order) <= set(ids)",
    ),
    _in("lines", "lines are counted from 0", "enumerate(lines, start=1)", "enumerate(lines)"),
    _in(
        "lines",
        "a damaged file ends early without a word",
        "except (gzip.BadGzipFile, EOFError) as error:",
        "except gzip.BadGzipFile as error:",
    ),
    _in("presence", "a worker that was killed lives for ever", "value, ex=SILENT_SECONDS)", "value)"),
    _in("methods", "chosen trainers are named in a paper", 'f"the work of {_num(len(', 'f"{filters} {_num(len('),
    _in(
        "methods",
        "a damaged export gets a section",
        "manifest = verify_directory(arguments[0])",
        'manifest = __import__("records").read_manifest(arguments[0])',
    ),
    _in("malformed", "another app's task is taken", "    _require(task in tasks,", "    _require(True,"),
]
