"""The reward model: pairs and their weights, packed rows, who teaches and who judges, intervals, normalisation."""

from tests.mutants.mutant import Mutant


def _in(module: str, test: str, fault: str, before: str, after: str) -> Mutant:
    return Mutant(f"rewardmodel/{module}.py", fault, ((before, after),), (f"tests/rewardmodel/{test}",))


def _loss(fault: str, before: str, after: str) -> Mutant:
    return _in("loss", "test_loss.py", fault, before, after)


def _packing(fault: str, before: str, after: str) -> Mutant:
    return _in("packing", "test_packing.py", fault, before, after)


def _statistics(fault: str, before: str, after: str) -> Mutant:
    return _in("statistics", "test_statistics.py", fault, before, after)


def _comparisons(fault: str, before: str, after: str) -> Mutant:
    return _in("comparisons", "test_comparisons.py", fault, before, after)


def _splits(fault: str, before: str, after: str) -> Mutant:
    return _in("splits", "test_splits.py", fault, before, after)


def _evaluation(module: str, fault: str, before: str, after: str) -> Mutant:
    return _in(module, "test_evaluate.py", fault, before, after)


def _train(test: str, fault: str, before: str, after: str) -> Mutant:
    return _in("train", test, fault, before, after)


MUTANTS = [
    _in(
        "loss",
        "test_options.py::test_merged_rankings_give_the_share_that_prefers_the_chosen_one",
        "a tie is a vote against the first",
        "+ 0.5 * (own[i] == own[j])",
        "+ 0.0 * (own[i] == own[j])",
    ),
    _in(
        "loss",
        "test_options.py::test_merged_rankings_give_the_share_that_prefers_the_chosen_one",
        "a turned pair keeps its share",
        "(j, i, 1.0 - p)",
        "(j, i, p)",
    ),
    _loss("the mean is over all pairs of a batch", "return totals / counts", "return totals / counts.float().mean()"),
    Mutant(
        "language/activation_checkpointing.py",
        "activations are computed again with another attention",
        (
            (
                "return nullcontext(), attending(network, network.config._attn_implementation)",
                "return nullcontext(), nullcontext()",
            ),
        ),
        ("tests/rewardmodel/test_options.py::test_checkpointed_activations_change_no_gradient",),
    ),
    _packing(
        "positions of a completion begin at 0",
        "range(num_prompt, num_prompt + len(completion))",
        "range(len(completion))",
    ),
    _packing(
        "positions go on from one completion to the next",
        "            positions += range(num_prompt, num_prompt + len(completion))",
        "            positions += range(len(ids) - len(completion), len(ids))",
    ),
    _packing("a window narrower than a row is packed", "if reach.sequence < longest or reach", "if reach"),
    _packing(
        "a mask is cached for every prompt",
        "key = (num_prompt, num_completion, like.dtype)",
        "key = (num_completion, like.dtype)",
    ),
    _statistics(
        "the bootstrap resamples pairs",
        "    _, owner = torch.unique(prompts, return_inverse=True)\n    num_prompts",
        "    owner = torch.arange(len(values))\n    num_prompts",
    ),
    _statistics(
        "the interval is of 90 %",
        "float(torch.quantile(means, q)) for q in (0.025, 0.975)",
        "float(torch.quantile(means, q)) for q in (0.05, 0.95)",
    ),
    _statistics(
        "the interval of a correlation is of 90 %",
        "float(torch.quantile(found, q)) for q in (0.025, 0.975)",
        "float(torch.quantile(found, q)) for q in (0.05, 0.95)",
    ),
    _statistics(
        "the seed of an interval is ignored",
        "    generator = torch.Generator().manual_seed(seed)\n    means = []",
        "    generator = torch.Generator().manual_seed(0)\n    means = []",
    ),
    _statistics("bins weigh alike whatever their size", "sum(bin_.num_pairs * abs(", "sum(total / len(bins) * abs("),
    _statistics(
        "a correlation between prompts counts within them", "return values - (sums / counts)[owner]", "return values"
    ),
    _in(
        "normalisation",
        "test_normalisation.py",
        "strays are measured on what was fitted",
        "own @ constant_direction(other) - 1.0",
        "own @ constant_direction(own) - 1.0",
    ),
    _comparisons(
        "the order is the same in every epoch",
        "seeded_order(len(comparisons), seed=seed, epoch=epoch)",
        "seeded_order(len(comparisons), seed=seed, epoch=0)",
    ),
    _comparisons(
        "the seed of the order is ignored",
        "seeded_order(len(comparisons), seed=seed, epoch=epoch)",
        "seeded_order(len(comparisons), seed=0, epoch=epoch)",
    ),
    _comparisons("a batch counts comparisons, not rankings", "room -= len(comparisons[index].tiers)", "room -= 1"),
    _comparisons(
        "a second ranking is read by its own order of completions",
        "tuple(_tiers_by_completion(ranking, ids) for ranking in members)",
        "tuple(_tiers_by_completion(ranking, [one.id for one in ranking.completions]) for ranking in members)",
    ),
    _comparisons("pairs point into the first comparison", "        offset += len(comparison.completion_ids)\n", ""),
    _splits("prompts that are nearly held out are taught", "alike.find(text)", "None"),
    _splits(
        "prompts that begin as a held-out one are taught",
        "if place is None else ids[place]",
        "if False else place and ids[place]",
    ),
    _splits(
        "trainers are not held out",
        'by_trainer = split_by == "trainer" and ranking.trainer is not None',
        "by_trainer = False",
    ),
    _in(
        "data",
        "test_data.py",
        "held-out demonstrations are references",
        'record.split in (None, "train")',
        'record.split in (None, "train", "validation")',
    ),
    _evaluation("selection", "ties of people count as lost", "+ 0.5 * (own[i] == own[j]) for j", "for j"),
    _evaluation(
        "agreement",
        "a trainer agrees with himself",
        "for index, other in enumerate(tiers) if index not in {number, *adjudicated}]",
        "for index, other in enumerate(tiers) if index not in adjudicated]",
    ),
    _evaluation("agreement", "a tie of others is a disagreement", " if other[chosen] != other[rejected]]", "]"),
    _evaluation(
        "evaluation",
        "slices resample pairs",
        "found[name] = estimate_mean(right[members], prompts[members], seed=seed)",
        "found[name] = estimate_mean(right[members], torch.arange(len(prompts))[members], seed=seed)",
    ),
    _evaluation(
        "evaluation",
        "who ranked is taken from another ranking",
        "rankings=tuple(ids[owner] for owner in pairs.ranking_of_pair.tolist())",
        "rankings=tuple(ids[0] for owner in pairs.ranking_of_pair.tolist())",
    ),
    _train(
        "test_train.py::test_one_batch_equals_its_microbatches",
        "every piece is a mean of its own",
        "learner.losses(scores, piece, pairs).sum() / num_rankings",
        "learner.losses(scores, piece, pairs).mean()",
    ),
    _train(
        "test_options.py::test_a_step_with_soft_labels_has_the_mean_over_comparisons",
        "soft labels are divided by rankings",
        "sum(1 if config.soft_labels else len(comparison.tiers) for",
        "sum(len(comparison.tiers) for",
    ),
    _train(
        "test_train.py::test_other_data_make_another_run_and_another_place_does_not",
        "another file of data is the same run",
        '        "data": material.source.sha256,\n',
        "",
    ),
    _in(
        "features",
        "test_options.py::test_states_that_another_trunk_left_are_not_taken",
        "states of another trunk are taken",
        '            if (file.metadata() or {}).get("key") != key:\n                return None\n',
        "",
    ),
    _in(
        "parameters",
        "test_train.py::test_the_heads_bias_is_never_trained",
        "the head's bias is trained",
        "    model.head.bias.requires_grad_(False)\n",
        "",
    ),
    _in(
        "parameters",
        "test_train.py::test_lower_layers_that_are_frozen_get_no_backward_pass",
        "the first layers are trained, not the last",
        "layers[-num_layers:]",
        "layers[:num_layers]",
    ),
    _in(
        "model",
        "test_model.py",
        "a score is read in autocast's precision",
        "torch.autocast(hidden.device.type, enabled=False)",
        "torch.autocast(hidden.device.type, torch.bfloat16, enabled=torch.is_autocast_enabled('cpu'))",
    ),
    _in(
        "model",
        "test_model.py",
        "the seed of the head is ignored",
        "make_head(hidden_size_of(backbone), seed=seed)",
        "make_head(hidden_size_of(backbone))",
    ),
    _in(
        "near_duplicates",
        "test_splits.py",
        "likeness is of the shorter text",
        "return shared / (len(one) + len(other) - shared)",
        "return shared / min(len(one), len(other))",
    ),
    _in(
        "near_duplicates",
        "test_splits.py",
        "one candidate too few is looked at",
        "math.ceil(self._threshold * len(asked) - 1e-9) + 1",
        "math.ceil(self._threshold * len(asked) - 1e-9)",
    ),
    _in(
        "corruption",
        "test_evaluate.py::test_another_seed_spoils_other_prompts_and_the_same_one_the_same",
        "prompts to spoil are the same for every seed",
        'Random(f"corruption/{seed}")',
        'Random("corruption")',
    ),
]
