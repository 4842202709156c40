"""The client: all rows, nothing twice, no token given away, files as they were."""

from tests.mutants.mutant import Mutant

_TESTS = "tests/parley/test_client.py"


def _client(fault: str, before: str, after: str, test: str) -> Mutant:
    return Mutant("parley/client.py", fault, ((before, after),), (f"{_TESTS}::test_{test}",))


def _connection(fault: str, before: str, after: str, test: str) -> Mutant:
    return Mutant("parley/connection.py", fault, ((before, after),), (f"{_TESTS}::test_{test}",))


def _files(fault: str, before: str, after: str, test: str) -> Mutant:
    return Mutant("parley/files.py", fault, ((before, after),), (f"{_TESTS}::test_{test}",))


_LEFT = "what_an_earlier_download_left_is_gone_on_with"

MUTANTS = [
    _client(
        "a filter is lost after the first page",
        "limit=PAGE, cursor=cursor, **query)",
        "limit=PAGE, cursor=cursor, **({} if cursor else query))",
        "what_was_asked_for_holds_on_every_page",
    ),
    _client(
        "a project's name is a path",
        "quote(project, safe='')",
        "quote(project)",
        "what_the_platform_refuses_is_not_asked_again",
    ),
    _client("any policy is promoted", "self.policies(name=policy)", "self.policies()", "it_promotes_by_name"),
    Mutant(
        "parley/connection.py",
        "each try has a key of its own",
        (
            ('        headers = {"Idempotency-Key": str(uuid.uuid4())}\n', ""),
            ("headers=headers))", 'headers={"Idempotency-Key": str(uuid.uuid4())}))'),
        ),
        (f"{_TESTS}::test_a_write_over_a_bad_line_is_done_once",),
    ),
    _connection(
        "a token goes where a redirect leads",
        ", timeout=seconds\n",
        ", timeout=seconds, follow_redirects=True\n",
        "a_token_is_not_carried_to_where_a_redirect_leads",
    ),
    _connection("a whole file is put after its half", "start if response.status_code == 206 else 0", "start", _LEFT),
    _files(
        "a platform writes where it likes",
        "if Path(name).name != name or",
        "if",
        "a_platform_cannot_write_outside_the_folder",
    ),
    _files(
        "bytes are not compared with the manifest",
        "    if _hash_of(part) != sha256:",
        "    if False:",
        "bytes_that_are_not_those_promised_are_thrown_away",
    ),
    _files(
        "wrong bytes are gone on with",
        "        part.unlink()\n",
        "",
        "bytes_that_are_not_those_promised_are_thrown_away",
    ),
    _files("a whole part cannot be finished", "if error.status != 416:", "if True:", _LEFT),
    Mutant(
        "parley/command.py",
        "promoting does not ask",
        (('.strip() != "yes":', '.strip() == "never":'),),
        ("tests/parley/test_command.py::test_promoting_asks_first",),
    ),
]
