"""Sampling for the platform: which policy answers, seeds on record, texts that differ, work that is stopped."""

from tests.mutants.mutant import Mutant


def _distinct(fault: str, before: str, after: str) -> Mutant:
    return Mutant("sampler/distinctness.py", fault, ((before, after),), ("tests/sampler/test_distinctness.py",))


def _policies(test: str, fault: str, before: str, after: str) -> Mutant:
    return Mutant("sampler/policies.py", fault, ((before, after),), (f"tests/sampler/test_policies.py::{test}",))


def _served(fault: str, before: str, after: str) -> Mutant:
    return Mutant("sampler/backends/served.py", fault, ((before, after),), ("tests/sampler/test_served.py",))


def _runs(fault: str, before: str, after: str) -> Mutant:
    return Mutant("sampler/runs.py", fault, ((before, after),), ("tests/sampler/test_runs.py",))


MUTANTS = [
    _distinct(
        "fresh texts are not remembered",
        "            yield place\n        known.add(_text(completion))",
        "            yield place",
    ),
    _distinct("the same seeds are asked again", "        next_seed += len(places)\n", ""),
    _distinct(
        "fresh seeds begin within the request's own",
        "request.sampling.seed + request.num_completions",
        "request.sampling.seed + 1",
    ),
    _distinct("a fresh completion takes another id", "replace(completion, id=completions[place].id)", "completion"),
    _distinct("white space makes a text another", "completion.content.strip()", "completion.content"),
    _policies(
        "test_a_republished_policy_is_loaded_anew",
        "a new version of a policy is not loaded",
        "key = (path, sha256 or self._hash_on_disk(path))",
        "key = (path, None)",
    ),
    _policies(
        "test_a_policy_that_is_not_the_one_on_record_is_not_served",
        "the hash on record is not compared",
        "require_safe(directory, expected_sha256=sha256)",
        "require_safe(directory)",
    ),
    _policies(
        "test_what_one_version_computed_is_not_taken_for_anothers",
        "two versions of a policy share prefixes",
        "self._prefixes.of(key)",
        "self._prefixes.of(path)",
    ),
    _policies(
        "test_the_least_recently_used_leaves_when_memory_is_short",
        "the oldest policy leaves, not the least recently used",
        "                self._resident.move_to_end(key)\n",
        "                pass\n",
    ),
    Mutant(
        "sampler/backends/local.py",
        "the seed on record is the request's",
        (("seed=request.sampling.seed + index)", "seed=request.sampling.seed)"),),
        ("tests/sampler/test_distinctness.py",),
    ),
    _served(
        "a server's completions share a seed",
        "request.sampling.seed + index for index",
        "request.sampling.seed for index",
    ),
    _served(
        "a server with one seed is asked for several at once", 'places = 1 if kind == "transformers" else', "places ="
    ),
    _runs("a run that was cancelled before it was heard goes on", "        if late:\n            callback()\n", ""),
    _runs("a run that is done is still told of", "                self._runs.remove(run)\n", "                pass\n"),
    _runs(
        "another run than the cancelled one is stopped",
        "zip(runs, answers, strict=True) if answer]",
        "zip(runs, reversed(answers), strict=True) if answer]",
    ),
]
