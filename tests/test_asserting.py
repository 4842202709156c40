"""Every test asserts something of the product that can be false. The rules are in tests/asserting/rules.py.

What they do not see. A constant at the head of a file, a fixture and a parameter count as the product's, and so does
every name that a test binds to more than literals. A function that a test names counts as called. What a helper walks,
and what `missing = [... for x in found if ...]` is made of before `assert not missing`, is not asked whether it is
there; neither is what an inner loop walks that its outer loop gives, nor what property tests walk. And an assertion
may be one that can be false and still miss the fault that matters: that is what tests/mutants/ is for.
"""

from textwrap import dedent, indent

import pytest

from tests.asserting import rules
from tests.asserting.sources import CHECKOUT, TESTS, Source, everything_of, read


def test_every_test_asserts_something_that_can_be_false() -> None:
    files = sorted(TESTS.rglob("*.py"))
    assert sum(len(read(file).tests) for file in files) > 1_000
    faults = [f"{file.relative_to(CHECKOUT)} {fault}" for file in files for fault in rules.everything(read(file))]
    assert not faults, "\n".join(faults)


def faults_of(body: str, *, before: str = "", arguments: str = "") -> list[str]:
    return rules.everything(Source(f"{dedent(before)}\ndef test_it({arguments}):\n{indent(dedent(body), '    ')}\n"))


# A test without an assertion


@pytest.mark.parametrize(
    ("before", "body"),
    [
        ("", "product()"),
        ("", "wanted = [1, 2]\nassert wanted\nproduct()"),
        ("", "assert len('abc') == 3\nproduct()"),
        ("", "assert [n for n in (1, 2)] == [1, 2]\nproduct()"),
        ("def look():\n    product()\n", "look()"),
        ("@pytest.fixture\ndef ready():\n    assert product()\n", "product()"),
        ("class Worker:\n    def look(self):\n        assert product()\n", "other().look()"),
    ],
)
def test_a_test_that_asserts_nothing_of_the_product_is_found(before: str, body: str) -> None:
    (fault, *_) = faults_of(body, before=before, arguments="ready" if "fixture" in before else "")
    assert "test_it asserts nothing of the product" in fault


@pytest.mark.parametrize(
    ("before", "body"),
    [
        ("", "assert product() == 3"),
        ("", "seen = []\nproduct(seen.append)\nassert seen == [1]"),
        ("", "with pytest.raises(ValueError):\n    product()"),
        ("", "torch.testing.assert_close(product(), 3)"),
        ("", "with django_assert_num_queries(3):\n    product()"),
        ("", "subprocess.run(product, check=True)"),
        ("def look():\n    assert product()\n", "look()"),
        ("def look():\n    deeper()\ndef deeper():\n    assert product()\n", "at_once(look)"),
        ("@pytest.fixture\ndef look():\n    def begin():\n        assert product()\n    return begin\n", "look()"),
        ("class Worker:\n    def look(self):\n        assert product()\n", "Worker().look()"),
    ],
)
def test_an_assertion_may_stand_in_what_the_test_names(before: str, body: str) -> None:
    assert faults_of(body, before=before, arguments="look" if "fixture" in before else "") == []


def test_fixtures_and_functions_of_other_files_are_followed() -> None:
    source = read(TESTS / "training" / "test_worker.py")
    (test,) = [test for test in source.tests if test.name == "test_a_job_reports_progress_and_publishes"]
    names = {function.name for _, function in everything_of(source, test)}
    assert names >= {"start_worker", "kill_tree", "ear", "next", "build_tiny_policy", "engines"}
    assert "test_a_cancelled_job_stops_within_seconds" not in names


# An assertion that is true of any value


@pytest.mark.parametrize(
    "assertion",
    [
        "assert True",
        "assert 'said'",
        "assert f'{product()}'",
        "assert (product() == 3, 'not three')",
        "assert [product()]",
        "assert {'a': product()}",
        "assert lambda: product()",
        "assert product() or True",
        "assert product() == 1 or product() == 2",
        "assert product is not None or product is None",
        "assert product() and found == found",
        "assert found.name is found.name",
        "assert isinstance(product(), object)",
        "assert len(product()) >= 0",
        "assert 0 <= product().count()",
        "assert product().num_rows > -1",
        "assert product()['seconds'] >= 0.0",
        "wanted = 'abc'\nassert 'a' in wanted",
    ],
)
def test_an_assertion_that_always_holds_is_found(assertion: str) -> None:
    assert len(faults_of(f"found = product()\n{assertion}\nassert found")) == 1


@pytest.mark.parametrize(
    "assertion",
    [
        "assert product() == product()",  # the same twice: that may well be false
        "assert (product() or '').strip()",
        "assert not (product() or other())",
        "assert product() in (1, 2)",
        "assert [*product()]",
        "assert len(product()) > 0",
        "assert product().loss >= 0",
        "assert 0 <= product().seconds < 5",
        "assert isinstance(product(), str)",
        "wanted = 'abc'\nassert product() in wanted",
    ],
)
def test_an_assertion_that_can_be_false_passes(assertion: str) -> None:
    assert faults_of(assertion) == []


# Processes

START = "def start():\n    return subprocess.Popen(['program'], stdout=subprocess.PIPE)\n"


@pytest.mark.parametrize(
    ("before", "body"),
    [
        ("", "subprocess.run(['program'])\nassert product()"),
        ("", "subprocess.run(['program'], check=False)\nassert product()"),
        ("", "multiprocessing.Process(target=work).start()\nassert product()"),
        (START, "start().wait()\nassert product()"),
        (f"@pytest.fixture\n{START}", "assert product()"),
        (START, "heard = product()\ndone = start().stdout.read()\nassert heard"),
    ],
)
def test_a_process_that_nobody_asks_after_is_found(before: str, body: str) -> None:
    (fault,) = faults_of(body, before=before, arguments="start" if "fixture" in before else "")
    assert "starts a process and does not ask how it ended" in fault


@pytest.mark.parametrize(
    ("before", "body"),
    [
        ("", "subprocess.run(['program'], check=True)\nassert product()"),
        ("", "done = subprocess.run(['program'])\nassert done.returncode == 0"),
        ("", "done = subprocess.run(['program'])\nlines = done.stdout.splitlines()\nassert lines == ['a']"),
        ("", "one = multiprocessing.Process(target=work)\none.join()\nassert one.exitcode == 0"),
        (START, "assert start().wait() == 0"),
        (
            START + "def up(server):\n    if server.poll() is not None:\n        raise AssertionError\n",
            "assert up(start())",
        ),
    ],
)
def test_a_process_that_is_asked_after_passes(before: str, body: str) -> None:
    assert faults_of(body, before=before) == []


def test_several_processes_are_counted() -> None:
    ended = "ended = start('policy.ppo', [], processes=2)\nassert ended.returncode == 0\n"
    (fault,) = faults_of(ended)
    assert "starts several processes and does not assert how many there were" in fault
    assert faults_of(f"{ended}assert read_json(out)['num_processes'] == 2") == []
    assert faults_of(ended.replace("processes=2", "processes=1")) == []


# What is perhaps not there


@pytest.mark.parametrize(
    "body",
    [
        "for row in product():\n    assert row.ok",
        "found = product()\nassert all(row.ok for row in found)",
        "found = product()\nassert not any(row.ok for row in found)\nassert not any(map(broken, found))",
        "found = product()\nassert not [row for row in found if row.ok]",
        "found = product()\nfor row in found:\n    assert row.ok\n    assert found",
        "found = [row for row in range(9) if product(row)]\nassert all(row.ok for row in found)",
        "for one in other():\n    assert one in found\nassert other()\nassert all(row.ok for row in found)",
        "found = []\nfor row in product():\n    found.append(row)\nassert all(row.ok for row in found)",
    ],
)
def test_an_assertion_about_perhaps_nothing_is_found(body: str) -> None:
    faults = faults_of(f"{body}\nassert done")
    assert len(faults) >= 1
    assert all("holds if there is nothing" in fault for fault in faults)


@pytest.mark.parametrize(
    "body",
    [
        "found = product()\nassert len(found) == 3\nfor row in found:\n    assert row.ok",
        "found = product()\nassert [row.ok for row in found] == [True]\nassert all(row.ok for row in found)",
        "for row in (1, 2):\n    assert product(row)",
        "for row in range(3):\n    assert product(row)",
        "for row in ROWS:\n    assert product(row)",
        "found = [product(n) for n in range(3)]\nassert all(row.ok for row in found)",
        "found = []\nfor n in range(3):\n    found.append(product(n))\nassert all(row.ok for row in found)",
        "names = set()\nfor row in product():\n    assert row.ok\n    names.add(row.name)\nassert names == {'a'}",
        "for name, wanted in {'a': 1}.items():\n    assert product(name) == wanted",
        "for n in (1, 2):\n    found = product(n)\n    assert len(found) == n\n    assert all(row.ok for row in found)",
    ],
)
def test_what_is_surely_there_may_be_walked(body: str) -> None:
    assert faults_of(body) == []


def test_the_examples_of_a_property_test_may_be_empty() -> None:
    text = "def test_it(rows):\n    for row in rows:\n        assert product(row)\n"
    assert len(rules.everything(Source(text))) == 1
    assert rules.everything(Source(f"@given(st.lists(st.text()))\n{text}")) == []
