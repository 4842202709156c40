"""RLOO, GRPO and ensembles of reward models: formulas over the completions of one prompt, and their steps."""

from tests.mutants.mutant import Mutant


def _in(module: str, test: str, fault: str, before: str, after: str) -> Mutant:
    return Mutant(f"policy/{module}.py", fault, ((before, after),), (f"tests/policy/{test}",))


def _group(fault: str, before: str, after: str) -> Mutant:
    return _in("objective", "test_group_objective.py", fault, before, after)


MUTANTS = [
    _group("a completion is its own sibling", "(num_completions - 1)", "num_completions"),
    _group(
        "the KL is a prize", "return scores - kl_coef * sum_over_tokens", "return scores + kl_coef * sum_over_tokens"
    ),
    _group(
        "a group is normalised by the population's deviation",
        "deviations = scores.std(dim=1, keepdim=True)",
        "deviations = scores.std(dim=1, keepdim=True, correction=0)",
    ),
    _group(
        "padding counts in the mean over a completion's tokens",
        "return sum_over_tokens(losses, mask) / mask.sum(dim=1)",
        "return losses.mean(dim=1)",
    ),
    _group(
        "padding is a part of a completion's ratio",
        "return sum_over_tokens(logprobs - old_logprobs, mask)[:, None]",
        "return (logprobs - old_logprobs).sum(dim=1)[:, None]",
    ),
    _group("an ensemble's variance is the sample's", "scores.var(dim=0, correction=0)", "scores.var(dim=0)"),
    _in(
        "group_steps",
        "test_rloo.py::test_the_cut_into_pieces_changes_no_gradient_and_no_number",
        "a piece's losses are a mean over the piece",
        "loss = losses.sum() / totals.completions",
        "loss = losses.mean()",
    ),
]
