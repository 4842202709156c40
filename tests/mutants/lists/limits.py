"""Figures of policies' limits and the probes they are of: faults that would claim a change or hide a limit."""

from tests.mutants.mutant import Mutant, platform_planter


def _statistic(module: str, fault: str, before: str, after: str) -> Mutant:
    return Mutant(
        f"labeling/statistics/{module}.py", fault, ((before, after),), (f"tests/labeling/statistics/test_{module}.py",)
    )


def _limits(module: str, fault: str, before: str, after: str) -> Mutant:
    return Mutant(
        f"labeling/evaluations/{module}.py",
        fault,
        ((before, after),),
        (f"tests/labeling/evaluations/test_{module}.py",),
    )


_labels = platform_planter("evaluations/probe_labels.py", "evaluations/test_probe_labels.py")

MUTANTS = [
    _statistic(
        "paired_proportions",
        "the correlation of pairs is not moved towards 0",
        "max(0.0, product - counts.n / 2)",
        "product",
    ),
    _statistic("paired_proportions", "the interval alone makes a claim", "self.p < LEVEL and not", "not"),
    _statistic(
        "paired_proportions",
        "the lower bound takes the wrong side of Wilson's interval",
        "below = _joined(new - new_low, old_high - old, phi)",
        "below = _joined(new_high - new, old_high - old, phi)",
    ),
    _statistic(
        "paired_proportions", "Holm's p falls below an earlier one", "worst = max(worst, min", "worst = max(0, min"
    ),
    _statistic(
        "consistency",
        "an answer is compared with itself",
        "alike = sum(times * (times - 1)",
        "alike = sum(times * times",
    ),
    _statistic(
        "consistency",
        "the variance is biased",
        "for value in group) / (len(group) - 1)",
        "for value in group) / len(group)",
    ),
    _statistic(
        "misclassification",
        "the errors of specificity weigh as those of sensitivity",
        "(1 - centre) ** 2 * of_specificity",
        "centre ** 2 * of_specificity",
    ),
    _statistic(
        "misclassification",
        "a detector that guesses is believed",
        "if errors.youden <= 0:",
        "if errors.youden < -1:",
    ),
    _statistic(
        "misclassification",
        "uneven draws count alike",
        "zip(rows, weights or [1.0] * len(rows), strict=True)",
        "zip(rows, [1.0] * len(rows), strict=True)",
    ),
    _statistic("stock_phrases", "repeating the question is a habit", "if phrase not in asked", "if True"),
    _statistic(
        "stock_phrases",
        "two percent are more than two percent",
        "topics > common * num_topics",
        "topics >= common * num_topics",
    ),
    _statistic("stock_phrases", "answers are read without bound", "zip(range(MOST_WORDS), ", "zip(range(10**9), "),
    _limits(
        "figures",
        "what attempts nothing counts as no refusal",
        "[label for label in safe if label != Compliance.NO_ATTEMPT]",
        "[label for label in safe]",
    ),
    _limits(
        "figures",
        "all harm is alike",
        "(float(severity) for _, severity in tried_unsafe)",
        "(1.0 for _, severity in tried_unsafe)",
    ),
    _limits(
        "figures",
        "asking where nothing is missing is praised",
        "count_pairs((clear, ambiguous)",
        "count_pairs((ambiguous, clear)",
    ),
    _limits(
        "figures",
        "a short answer makes up for a long one",
        "math.log(max(words, most) / most)",
        "math.log(words / most)",
    ),
    _limits("detectors", "a refusal is looked for in the whole answer", "_plain(answer)[:_OPENING]", "_plain(answer)"),
    _limits(
        "detectors",
        "an offer of help is a question back",
        'last.endswith("?") and not _OFFERS.search(last)',
        'last.endswith("?")',
    ),
    _limits("probe_sets", "a file that was changed is read", "!= sha256:", "!= sha256 and False:"),
    _limits("probe_sets", "a field that no set has is passed over", "        row.refuse_the_rest()\n", ""),
    _limits(
        "probe_runs",
        "each policy is asked under seeds of its own",
        "seed_of(run.set_version, text.key, number)",
        "seed_of(run.set_version, f'{run.id}{text.key}', number)",
    ),
    _limits("probe_runs", "answers to one question share a seed", "key, number) >> 1", "key) >> 1"),
    _limits("probe_runs", "what the filter cut short is labelled", "completion.finish_reason == FILTERED", "False"),
    _limits(
        "probe_runs",
        "another project's answer is taken for the same",
        "state=State.READY, run__project=project",
        "state=State.READY",
    ),
    _limits("probe_runs", "the same words to another text are the same", "text=answer.text_id, content", "content"),
    _labels(
        "two labels at once call for no third",
        'select_for_update(of=("self",)).get(id=label.answer_id)\n        held',
        "get(id=label.answer_id)\n        held",
    ),
    _labels("the last place is given twice", 'select_for_update(of=("self",), skip_locked=True)', "all()"),
    _labels("a person labels an answer twice", "    return waiting.exclude(Exists(said))", "    return waiting"),
    _labels("a place that ran out stays taken", 'labels__value="", labels__expires_at__gt=Now()', 'labels__value=""'),
    _labels("anybody decides where three differ", "if by.role not in _REVIEWERS:", "if False:"),
    _labels("anybody takes back another's label", "filter(id=label.id, by=by).update", "filter(id=label.id).update"),
    _limits(
        "policy_limits",
        "Holm's p does not count",
        "self.change.is_claimed and self.p_of_page < LEVEL",
        "self.change.is_claimed",
    ),
    _limits(
        "policy_limits",
        "runs under other settings are compared",
        "elif before.sampling != after.sampling:",
        "elif False:",
    ),
    _limits(
        "policy_limits", "refusals are shown without harm", "if name in answers and not all(", "if False and not all("
    ),
]
