"""What studies rest on: looks of the watch, controls of PPO, intervals over seeds, forms of other seeds."""

from tests.mutants.mutant import Mutant


def _in(module: str, test: str, fault: str, before: str, after: str) -> Mutant:
    return Mutant(f"policy/{module}.py", fault, ((before, after),), (f"tests/policy/{test}",))


def _two_level(fault: str, before: str, after: str) -> Mutant:
    return Mutant("benchmarks/two_level.py", fault, ((before, after),), ("tests/policy/test_two_level.py",))


MUTANTS = [
    _in(
        "ppo",
        "test_ppo_controls.py::test_a_score_without_an_end_token_is_replaced_or_left_as_it_is",
        "a score without an end token is replaced though it was to be left",
        "if config.length_only_tokens or config.keep_unended_scores:",
        "if config.length_only_tokens:",
    ),
    _in(
        "beyond_length",
        "test_beyond_length.py::test_answers_that_ended_are_not_held_against_those_that_did_not",
        "answers that ended are held against those that did not",
        "start_ended == ending, ended == ending",
        "start_ended | True, ended == ending",
    ),
    _in(
        "disagreements",
        "test_disagreements.py::test_differences_are_of_standings_and_the_largest_comes_first",
        "only what the proxy likes more is a disagreement",
        "differences.abs().argsort",
        "differences.argsort",
    ),
    _in(
        "publishing",
        "test_watch.py::test_a_killed_run_remembers_what_it_saw",
        "the answers that two reward models judge differently are not published",
        '    if facts.get("watch"):\n',
        '    if facts.get("looks"):\n',
    ),
    _in(
        "scaling",
        "test_scaling.py::test_a_form_of_other_seeds_is_judged_by_the_one_it_never_saw",
        "a form is judged by the seed that it was fitted to",
        "if other != place for point",
        "for point",
    ),
    _two_level("runs are never drawn", "generator.choices(runs, k=len(runs))", "runs"),
    _two_level("prompts that all runs share are drawn for each", "if same_prompts else", "if not same_prompts else"),
    _two_level("one seed has an interval", "if len(runs) == 1:", "if len(runs) == 0:"),
]
