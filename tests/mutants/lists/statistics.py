"""Formulas, the gold preference, and the figures that pages show of people's rankings."""

from tests.mutants.mutant import Mutant


def _planted(module: str, fault: str, before: str, after: str, test: str = "") -> Mutant:
    """Of labeling/statistics or labeling/gold; `test` where its file is named otherwise."""
    room, name = module.split("/")
    return Mutant(
        f"labeling/{module}.py", fault, ((before, after),), (f"tests/labeling/{room}/test_{test or name}.py",)
    )


def _intervals(fault: str, before: str, after: str) -> Mutant:
    return _planted("statistics/intervals", fault, before, after)


def _agreement(fault: str, before: str, after: str) -> Mutant:
    return _planted("statistics/agreement", fault, before, after)


def _alpha(fault: str, before: str, after: str) -> Mutant:
    return _planted("statistics/alpha", fault, before, after)


def _change(fault: str, before: str, after: str) -> Mutant:
    return _planted("statistics/change_point", fault, before, after)


def _read(fault: str, before: str, after: str) -> Mutant:
    tests = ("tests/labeling/quality/views/test_quality.py", "tests/labeling/quality/views/test_selection.py")
    return Mutant("labeling/quality/ranking_fields.py", fault, ((before, after),), tests)


def _agreed(fault: str, before: str, after: str) -> Mutant:
    tests = ("tests/labeling/quality/views/test_quality.py", "tests/labeling/quality/views/test_selection.py")
    return Mutant("labeling/quality/agreement.py", fault, ((before, after),), tests)


def _selected(fault: str, before: str, after: str) -> Mutant:
    tests = ("tests/labeling/quality/views/test_selection.py",)
    return Mutant("labeling/quality/selection.py", fault, ((before, after),), tests)


def _report(fault: str, before: str, after: str) -> Mutant:
    tests = ("tests/labeling/quality/views/test_quality.py",)
    return Mutant("labeling/quality/report.py", fault, ((before, after),), tests)


def _own(fault: str, before: str, after: str) -> Mutant:
    tests = ("tests/labeling/quality/views/test_history.py",)
    return Mutant("labeling/quality/personal_statistics.py", fault, ((before, after),), tests)


def _reference(fault: str, before: str, after: str) -> Mutant:
    tests = ("tests/labeling/rankings/test_reference_agreement.py",)
    return Mutant("labeling/rankings/reference_agreement.py", fault, ((before, after),), tests)


MUTANTS = [
    _intervals("the bootstrap's interval is of 90 %", "tail = (1 - confidence) / 2", "tail = 1 - confidence"),
    _intervals("Wilson's interval is of 90 %", "inv_cdf(0.5 + confidence / 2)", "inv_cdf(confidence)"),
    _intervals("Wilson's interval is too wide", "z * z / (4 * n * n)", "z * z / (4 * n)"),
    _intervals("the p-value is of one side", "2 * math.fsum(terms)", "math.fsum(terms)"),
    _intervals("the p-value leaves out what was observed", "for k in range(tail + 1)", "for k in range(tail)"),
    _intervals("the bootstrap ignores its seed", "random.Random(seed)", "random.Random(0)"),
    _intervals(
        "the bootstrap draws without replacement", "generator.choices(clusters, k=", "generator.sample(clusters, k="
    ),
    _intervals("the bootstrap draws fewer than there are", "k=len(clusters))", "k=len(clusters) // 2)"),
    _intervals(
        "the upper bound of the bootstrap is the lower one's tail", "quantile(values, 1 - tail)", "quantile(values, 1)"
    ),
    _intervals(
        "the quantile is one place too far", "place = share * (len(ordered) - 1)", "place = share * len(ordered)"
    ),
    _intervals(
        "a ratio of sums is a mean of ratios",
        "math.fsum(cluster[0] for cluster in clusters) / trials",
        "math.fsum(one / n for one, n in clusters if n) / len(clusters)",
    ),
    _agreement(
        "chance takes the tie rate of the first for the second's",
        "second = (self.tied_by_second + self.tied_by_both) / total",
        "second = (self.tied_by_first + self.tied_by_both) / total",
    ),
    _agreement(
        "chance leaves out what both tied",
        "first = (self.tied_by_first + self.tied_by_both) / total",
        "first = self.tied_by_first / total",
    ),
    _agreement(
        "chance has the ordered pairs alone as denominator", 'total = self.trials("half")', "total = self.trials()"
    ),
    _alpha("a unit's pairs weigh 1/m", "weights[pair] += 1 / (len(values) - 1)", "weights[pair] += 1 / len(values)"),
    _alpha(
        "alpha has no correction for few values", "(math.fsum(totals.values()) - 1) *", "math.fsum(totals.values()) *"
    ),
    _alpha("ordinal distances leave out one end", "if low <= value <= high", "if low <= value < high"),
    _alpha(
        "the jackknife's variance has no factor",
        "variance = (len(known) - 1) / len(known) * ",
        "variance = 1 / len(known) * ",
    ),
    _alpha("a pair is given one way round", "yield [None if sign is None else -sign for sign in signs]", "continue"),
    _change(
        "the spread is of one cluster",
        "p = brownian_bridge_tail(furthest / spread)",
        "p = brownian_bridge_tail(furthest)",
    ),
    _change("a change is sought among a handful", "if len(known) < FEWEST:", "if len(known) < 2:"),
    _agreement(
        "a tie of one counts as agreement",
        "(self.tied_by_first + self.tied_by_second) / 2",
        "(self.tied_by_first + self.tied_by_second)",
    ),
    _agreement(
        "who tied is turned round",
        '"tied_by_first" if left == 0',
        '"tied_by_second" if left == 0 else "tied_by_first" if left == 9',
    ),
    _agreement(
        "two ties are not the same",
        "return self.alike + self.tied_by_both\n\n    def trials",
        "return self.alike\n\n    def trials",
    ),
    _agreement("a position's z is too small", "/ math.sqrt(n / 4)", "/ math.sqrt(n)"),
    _agreement("the one shown later wins", "shown[better] < shown[worse]", "shown[better] > shown[worse]"),
    _planted(
        "statistics/paired_comparisons",
        "the win rate ignores its seed",
        "rounds=rounds, seed=seed, confidence=confidence)",
        "rounds=rounds, seed=0, confidence=confidence)",
    ),
    _planted(
        "statistics/paired_comparisons",
        "the win rate ignores its confidence",
        "rounds=rounds, seed=seed, confidence=confidence)",
        "rounds=rounds, seed=seed)",
    ),
    _planted(
        "statistics/paired_comparisons",
        "the win rate depends on the order of its prompts",
        "for _, won in sorted(outcomes.items())",
        "for _, won in outcomes.items()",
    ),
    _planted("statistics/paired_comparisons", "a tie is a whole win", "wins + ties / 2, wins", "wins + ties, wins"),
    _planted(
        "statistics/bradley_terry",
        "every two policies weigh the same however often they met",
        "surplus, information = won[i][j] - met * p, met * p * (1 - p)",
        "surplus, information = won[i][j] / met - p, p * (1 - p)",
    ),
    _planted(
        "statistics/bradley_terry",
        "a tie weighs as a win in Davidson's model",
        "expected = win + tie / 2",
        "expected = win + tie",
    ),
    _planted(
        "statistics/leaderboard",
        "trainers are not drawn anew",
        "prompts.get(vote.prompt, 0) * trainers.get(vote.trainer, 0) for",
        "prompts.get(vote.prompt, 0) for",
    ),
    _planted(
        "statistics/leaderboard",
        "prompts are not drawn anew",
        "prompts.get(vote.prompt, 0) * trainers.get(vote.trainer, 0) for",
        "trainers.get(vote.trainer, 0) for",
    ),
    _planted("statistics/leaderboard", "draws ignore the seed", "random.Random(seed)", "random.Random(0)"),
    _planted(
        "statistics/leaderboard",
        "what all agree on is certain",
        "low=min(wilson.low, drawn.low), high=max(wilson.high, drawn.high)",
        "low=drawn.low, high=drawn.high",
    ),
    _planted("statistics/leaderboard", "19 votes are enough", "num >= FEWEST_VOTES", "num >= FEWEST_VOTES - 1"),
    _planted(
        "statistics/sequential",
        "each look spends the whole error",
        "allowed = spent(share, design.error) - used",
        "allowed = design.error",
    ),
    _planted(
        "statistics/sequential",
        "verdicts of one prompt count as independent",
        "value * value for value in sums.values()))",
        "(won - 0.5) ** 2 for _, won in verdicts))",
    ),
    _planted(
        "statistics/style_control",
        "code counts as style",
        'prose = _FENCED.sub("", markdown)',
        "prose = markdown",
    ),
    _planted(
        "statistics/length_bias",
        "a pair that differs by just the least difference counts",
        "> min_difference]",
        ">= min_difference]",
    ),
    _planted("statistics/length_bias", "the longer one counts as the shorter", "sum(d > 0 for d", "sum(d < 0 for d"),
    _planted("statistics/length_bias", "the ridge is not passed on", "outcomes, ridge=ridge)", "outcomes)"),
    _planted(
        "statistics/length_bias",
        "the scale is not that of the differences",
        "scale = pstdev(differences) or 1.0 if",
        "scale = 1.0 if",
    ),
    _planted(
        "statistics/logistic_regression",
        "the weights do not count in the standard errors",
        "information = weight * (outcome - p), weight * p * (1 - p)",
        "information = weight * (outcome - p), p * (1 - p)",
        "length_bias",
    ),
    _planted(
        "gold/preference", "a tie ends before its margin", "scores[identifier] <= margin", "scores[identifier] < margin"
    ),
    _planted(
        "gold/preference",
        "a tier reaches as far as ties chain",
        "scores[tiers[-1][0]] - scores",
        "scores[tiers[-1][-1]] - scores",
    ),
    _planted(
        "gold/preference",
        "a tie depends on the order of the input",
        "key=lambda key: (-scores[key], key)",
        "key=lambda key: -scores[key]",
    ),
    _planted("gold/preference", "a score on the line is unacceptable", "< ACCEPTABLE_SCORE]", "<= ACCEPTABLE_SCORE]"),
    _planted(
        "gold/preference", "the line is drawn above the last tier alone", "below[0] if below", "below[-1] if below"
    ),
    _planted(
        "gold/preference", "one bad feature makes the score zero", "max(values[name], FEATURE_FLOOR)", "values[name]"
    ),
    _planted(
        "gold/preference",
        "words of earlier sentences all count as near",
        "sentences[max(0, index - 2) : index]",
        "sentences[:index]",
    ),
    _planted(
        "gold/preference",
        "the prompt's first message is the question",
        "question = messages[-1].content",
        "question = messages[0].content",
    ),
    _planted("gold/preference", "quotation is not allowed for", "max(0.0, share - 1 / 3) * 1.5", "share"),
    _planted("gold/validate", "equal lengths count for the longer", "0.5 if gap == 0", "1.0 if gap == 0"),
    _planted(
        "gold/validate",
        "the share of ties has the ordered pairs as denominator",
        "/ num_pairs,",
        "/ max(1, num_pairs - 1),",
    ),
    _planted(
        "gold/validate",
        "unacceptable tiers are counted and not completions",
        "sum(map(len, judgement.tiers[judgement.unacceptable_from :]))",
        "len(judgement.tiers[judgement.unacceptable_from :])",
    ),
    _planted("gold/score", "a prompt may end with an answer", 'or asked.messages[-1].role != "user"', ""),
    _read(
        "rankings that were taken back count",
        "comparison__use=Comparison.Use.WORK, retracted_at=None)",
        "comparison__use=Comparison.Use.WORK)",
    ),
    _read(
        "gold items count as work",
        "comparison__project=project, comparison__use=Comparison.Use.WORK, ",
        "comparison__project=project, ",
    ),
    _read("the oldest rankings are read", 'order_by("-ranked_at")[:NEWEST]', 'order_by("ranked_at")[:NEWEST]'),
    _report(
        "choices count as orders in agreement",
        "if not ranking.abstained and not ranking.is_choice",
        "if not ranking.abstained",
    ),
    _report(
        "abstentions count in the time",
        "median_seconds=_median(ranking.seconds for ranking in judged)",
        "median_seconds=_median(ranking.seconds for ranking in people)",
    ),
    _report(
        "a trainer's agreement is everybody's", "[one for one in per if trainer in (one.one, one.other)]", "list(per)"
    ),
    _agreed(
        "agreement counts pairs that somebody tied",
        "float(sum(one.counts.trials() for",
        'float(sum(one.counts.trials("half") for',
    ),
    _agreed("a few comparisons are resampled", "if len(clusters) < _FEWEST_TO_RESAMPLE:", "if len(clusters) < 2:"),
    _agreed("a constant has no interval", "if found.low < found.high:", "if found:"),
    _agreed(
        "a version is told of pairs under two", "if one.guideline_version == other.guideline_version else None", ""
    ),
    _agreed(
        "a week is that of the earlier ranking",
        "since=max(one.ranked_at, other.ranked_at)",
        "since=min(one.ranked_at, other.ranked_at)",
    ),
    _selected("the last day is left out", "_midnight(self.until + timedelta(days=1))", "_midnight(self.until)"),
    _selected(
        "a day is one of Greenwich",
        "timezone.make_aware(datetime.combine(day, time.min))",
        "timezone.make_aware(datetime.combine(day, time.min), timezone.get_default_timezone())",
    ),
    _selected("engineers read names", "str(trainer) if names_people else trainer.pseudonym", "str(trainer)"),
    _own(
        "a ranking that was taken back counts",
        "mine = Ranking.objects.filter(trainer=user, retracted_at=None)",
        "mine = Ranking.objects.filter(trainer=user)",
    ),
    _own(
        "a ranking that was taken back is a bar of the chart",
        "trainer=user, retracted_at=None, ranked_at__date",
        "trainer=user, ranked_at__date",
    ),
    _own(
        "others' rankings that were taken back count",
        "filter(retracted_at=None, abstained=None, comparison__use",
        "filter(abstained=None, comparison__use",
    ),
    _own("programs count as others", "trainer__isnull=False, trainer__is_simulated=False", "trainer__isnull=False"),
    _own("gold items count as work of others", ", comparison__use=Comparison.Use.WORK)\n", ")\n"),
    _own("the chart begins a day late", "timedelta(days=NUM_DAYS - 1)", "timedelta(days=NUM_DAYS - 2)"),
    _own("one agrees with oneself", "others.exclude(trainer=user).values_list", "others.values_list"),
    _reference(
        "gold rankings that were taken back count",
        "Comparison.Use.GOLD, retracted_at=None, abstained=None",
        "Comparison.Use.GOLD, abstained=None",
    ),
    _reference(
        "simulated trainers count in the agreement",
        "return standing.filter(trainer__is_simulated=False, comparison",
        "return standing.filter(comparison",
    ),
    _reference(
        "the last attempt at practice counts for a reference",
        '"trainer_id", "ranked_at").distinct',
        '"trainer_id", "-ranked_at").distinct',
    ),
    _reference(
        "a person's first attempt counts for their practice",
        '"comparison_id", "-ranked_at")\n',
        '"comparison_id", "ranked_at")\n',
    ),
    _reference("today's gold items show at once", "trainer=user, ranked_at__lt=midnight)", "trainer=user)"),
    _reference(
        "gold items of other projects count", "_gold_rankings().filter(comparison__project=project)", "_gold_rankings()"
    ),
    Mutant(
        "labeling/quality/policy_comparison.py",
        "a person's text counts for the policy it was made of",
        (('    if completion.author_id is not None:\n        return Source("", None)\n', ""),),
        ("tests/labeling/quality/test_policy_comparison.py",),
    ),
    Mutant(
        "labeling/quality/policy_comparison.py",
        "the pairs of a comparison are resampled apart",
        (("outcomes[worse][ranking.comparison_id]", "outcomes[worse][str(len(outcomes[worse]))]"),),
        ("tests/labeling/quality/test_policy_comparison.py",),
    ),
]
