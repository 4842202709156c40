"""Fine-tuning and PPO: formulas, masks and denominators, what is mixed in, seeds of every stream, shares of work."""

from tests.mutants.mutant import Mutant


def _in(module: str, test: str, fault: str, before: str, after: str) -> Mutant:
    return Mutant(f"policy/{module}.py", fault, ((before, after),), (f"tests/policy/{test}",))


def _objective(fault: str, before: str, after: str) -> Mutant:
    return _in("objective", "test_objective.py", fault, before, after)


def _rollout(fault: str, before: str, after: str) -> Mutant:
    return _in("rollout", "test_rollout.py", fault, before, after)


def _reach(fault: str, before: str, after: str) -> Mutant:
    test = "tests/policy/test_packing_families.py"
    return Mutant("rewardmodel/reach.py", fault, ((before, after),), (test,))


def _sharing(test: str, fault: str, before: str, after: str) -> Mutant:
    return Mutant("language/parallel/sharing.py", fault, ((before, after),), (f"tests/policy/{test}",))


def _shared_prompt(fault: str, before: str, after: str) -> Mutant:
    return _in("shared_prompt", "test_shared_prompt.py", fault, before, after)


def _best_of_n(fault: str, before: str, after: str) -> Mutant:
    return _in("best_of_n", "test_best_of_n.py", fault, before, after)


def _dialogues(fault: str, before: str, after: str) -> Mutant:
    return _in("dialogues", "test_dialogues.py", fault, before, after)


MUTANTS = [
    _objective(
        "the controller's error is not clipped below",
        "error = min(max((kl - target) / target, -KL_ERROR_CLIP), KL_ERROR_CLIP)",
        "error = min((kl - target) / target, KL_ERROR_CLIP)",
    ),
    _objective("padding is penalised", "torch.where(mask, penalty, 0.0) + torch", "penalty + torch"),
    _objective(
        "a value is foreseen beyond the end",
        "rewards, values = torch.where(mask, rewards, 0.0), torch.where(mask, values, 0.0)",
        "rewards = torch.where(mask, rewards, 0.0)",
    ),
    _objective(
        "the discount is left out of the next value",
        "deltas = rewards + discount * next_values",
        "deltas = rewards + next_values",
    ),
    _objective(
        "whitening counts padding",
        "variance = masked_mean((x - mean).square(), mask)",
        "variance = torch.where(mask, (x - mean).square(), 0.0).mean()",
    ),
    _objective(
        "whitening takes the sample's variance",
        "variance = masked_mean((x - mean).square(), mask)",
        "variance = masked_mean((x - mean).square(), mask, total=int(mask.sum()) - 1)",
    ),
    _objective(
        "the ratio is clipped above only",
        "clipped_ratio = ratio.clamp(1 - clip_range, 1 + clip_range)",
        "clipped_ratio = ratio.clamp(max=1 + clip_range)",
    ),
    _objective(
        "the ratio is clipped below only",
        "clipped_ratio = ratio.clamp(1 - clip_range, 1 + clip_range)",
        "clipped_ratio = ratio.clamp(min=1 - clip_range)",
    ),
    _objective(
        "a value is clipped upwards only",
        "(values - old_values).clamp(-clip_range, clip_range)",
        "(values - old_values).clamp(max=clip_range)",
    ),
    _objective(
        "a value is clipped downwards only",
        "(values - old_values).clamp(-clip_range, clip_range)",
        "(values - old_values).clamp(min=-clip_range)",
    ),
    _objective(
        "a piece is divided by its own tokens", "count = mask.sum() if total is None else total", "count = mask.sum()"
    ),
    _objective(
        "the KL of distributions ignores the temperature of one",
        "ref_logprobs = torch.log_softmax(ref_logits.float() / temperature, dim=-1)",
        "ref_logprobs = torch.log_softmax(ref_logits.float(), dim=-1)",
    ),
    _in(
        "rollout",
        "test_ppo.py::test_every_update_begins_at_a_ratio_of_exactly_one",
        "what was measured stays in the order of the pieces",
        "for part in column])[in_order] for",
        "for part in column]) for",
    ),
    _in(
        "learner",
        "test_learner.py",
        "layers that are trained elsewhere are packed",
        'if precision == "fp32" and not trainable.last_layers and not sharing.is_sharded:',
        'if precision == "fp32" and not sharing.is_sharded:',
    ),
    _in(
        "learner",
        "test_learner.py",
        "what autocast ought to reach is packed",
        'if precision == "fp32" and not trainable.last_layers and not sharing.is_sharded:',
        "if not trainable.last_layers and not sharing.is_sharded:",
    ),
    _in(
        "rollout",
        "test_sharing.py::test_two_sample_and_measure_what_one_would",
        "seeds of processes overlap",
        "seed=params.seed + span.start * num_completions)",
        "seed=params.seed + span.start)",
    ),
    _in(
        "rollout",
        "test_sharing.py::test_two_sample_and_measure_what_one_would",
        "every process samples with the same seeds",
        "params=replace(params, seed=params.seed + span.start * num_completions),",
        "params=params,",
    ),
    _reach(
        "chunks of attention do not keep from packing", 'if not kinds or "chunked_attention" in kinds:', "if False:"
    ),
    _reach(
        "positions that move with the length do not keep from packing",
        "limits: list[int | None] = [original - 1 for original, _ in _moving_positions(config)]",
        "limits = []",
    ),
    _reach(
        "sequences of unlike positions share a padded batch", "if length > original else 0 for", "if False else 0 for"
    ),
    _in(
        "value",
        "test_rollout.py::test_the_reward_model_reads_nothing_that_a_person_is_not_shown",
        "the reward model reads control tokens that nobody is shown",
        "groups = groups.as_shown",
        "groups = groups",
    ),
    _rollout(
        "a completion at its limit counts as ended",
        "one.token_ids[-1] == end_token_id for one in rows",
        "one.token_ids[-1] == end_token_id or len(one.token_ids) == length for one in rows",
    ),
    _in(
        "rollout",
        "test_rollout.py::test_the_reference_says_at_the_temperature_of_sampling_what_the_policy_said_at_its_start",
        "the reference is measured at another temperature",
        "(ref_logprobs,) = over(lambda groups: completion_logprobs(reference, groups, temperature=temperature))",
        "(ref_logprobs,) = over(lambda groups: completion_logprobs(reference, groups, temperature=1.0))",
    ),
    _in(
        "rollout",
        "test_rollout.py::test_the_reference_says_at_the_temperature_of_sampling_what_the_policy_said_at_its_start",
        "the reference is the policy itself",
        "completion_logprobs(reference, groups, temperature=temperature)",
        "completion_logprobs(policy.model, groups, temperature=temperature)",
    ),
    _in(
        "rollout",
        "test_rollout.py::test_the_reference_says_at_the_temperature_of_sampling_what_the_policy_said_at_its_start",
        "measuring keeps gradients",
        "@torch.no_grad()\ndef over_rollouts",
        "def over_rollouts",
    ),
    _sharing(
        "test_sharing.py::test_two_sample_and_measure_what_one_would",
        "every process has the first one's share",
        "members[self.rank :: self.count]",
        "members[:: self.count]",
    ),
    _sharing(
        "test_sharing.py::test_two_sample_and_measure_what_one_would",
        "shares are joined in another order",
        "for index in range(longest) for part in parts if",
        "for part in parts for index in range(longest) if",
    ),
    _sharing(
        "test_shared_runs.py",
        "gradients are not added up",
        "        gradient.copy_(summed.view_as(gradient))\n",
        "        pass\n",
    ),
    _shared_prompt(
        "entropies ignore the temperature",
        "_widen(entropy(logits.detach(), temperature=temperature), groups.mask)",
        "_widen(entropy(logits.detach(), temperature=1.0), groups.mask)",
    ),
    _in(
        "value",
        "test_rollout.py",
        "the score is read before the last token",
        "groups.mask.sum(dim=1)]",
        "groups.mask.sum(dim=1) - 1]",
    ),
    _in(
        "value",
        "test_rollout.py",
        "the reward model moves with the value model's head",
        "RewardModel(trunk, frozen_copy(self.model.head), reward_model.facts)",
        "RewardModel(trunk, self.model.head, reward_model.facts)",
    ),
    _in(
        "learner",
        "test_learner.py",
        "the reference moves with the policy",
        "return copy.deepcopy(network, shared).requires_grad_(False).eval()",
        "return network",
    ),
    _best_of_n(
        "seeds of prompts meet",
        'derived_seed(config.seed, "best of n", index)',
        'derived_seed(config.seed, "best of n") + index',
    ),
    _best_of_n("the seed on record is the prompt's", "replace(params, seed=seed + i))", "replace(params, seed=seed))"),
    _best_of_n("a tie goes to the last", "(sums / tie.bincount())[tie]", "judged.double()"),
    _in(
        "ppo_config",
        "test_seeds.py::test_every_row_of_every_update_and_run_has_a_first_number_of_its_own",
        "every update has the seeds of the first",
        'derived_seed(self.seed, "rollouts", update)',
        'derived_seed(self.seed, "rollouts")',
    ),
    _in(
        "material",
        "test_seeds.py::test_updates_a_watch_and_the_selection_of_an_epoch_have_seeds_of_their_own",
        "the watch has the seeds of the rollouts",
        'derived_seed(config.seed, "watch")',
        'derived_seed(config.seed, "rollouts", 0)',
    ),
    _in(
        "sft_material",
        "test_seeds.py::test_updates_a_watch_and_the_selection_of_an_epoch_have_seeds_of_their_own",
        "selection has the seeds of the watch",
        'derived_seed(config.seed, "selection")',
        'derived_seed(config.seed, "watch")',
    ),
    _in(
        "prompts",
        "test_prompts.py",
        "a draw begins with its pass",
        "return [members[index] for index in stream[offset : offset + count]]",
        "return [members[index] for index in stream[:count]]",
    ),
    _in(
        "mixture",
        "test_selection.py",
        "every epoch mixes in the same dialogues",
        "start=epoch * mixture.per_epoch",
        "start=0",
    ),
    _in(
        "mixture",
        "test_selection.py",
        "held-out dialogues are mixed in",
        'if demonstration.split in ("validation", "test"):',
        'if demonstration.split == "test":',
    ),
    _in(
        "mixture",
        "test_selection.py",
        "what begins as a held-out dialogue is mixed in",
        "if beginning_of(demonstration) in reserved:",
        "if False:",
    ),
    _in(
        "mixture",
        "test_selection.py",
        "every epoch has one order",
        "seeded_order(len(members), seed=seed, epoch=epoch)]",
        "seeded_order(len(members), seed=seed, epoch=0)]",
    ),
    _dialogues(
        "padding is taught",
        "is_predictor = flags.input_ids[:, 1:].bool()",
        "is_predictor = batch.attention_mask[:, 1:]",
    ),
    _dialogues("a piece is larger than its budget", "if room >= length)", "if room > 0)"),
    _in(
        "sft",
        "test_sft.py::test_a_step_has_the_gradient_of_the_mean_over_its_targets_however_it_is_cut",
        "every piece is a mean of its own",
        ".sum() / total * weight_of(piece)\n    require_finite",
        ".mean() * weight_of(piece)\n    require_finite",
    ),
    _in(
        "sft",
        "test_sft.py::test_a_step_has_the_gradient_of_the_mean_over_its_targets_however_it_is_cut",
        "gradients of earlier steps add up",
        "        optimizer.zero_grad(set_to_none=True)\n",
        "",
    ),
    _in(
        "selection",
        "test_selection.py",
        "the last of equal epochs is published",
        '-point["epoch"]))',
        'point["epoch"]))',
    ),
    _in(
        "watch",
        "test_watch.py::test_a_turn_needs_a_fall_beyond_chance_and_a_climb",
        "chance raises the alarm",
        "_STANDARD_ERRORS * stdev(falls) / math.sqrt(len(falls))",
        "0",
    ),
    _in(
        "metrics",
        "test_metrics.py",
        "the KL is a mean over tokens",
        "sum_over_tokens(kl_k1(measured.logprobs, measured.ref_logprobs), mask).mean()",
        "masked_mean(kl_k1(measured.logprobs, measured.ref_logprobs), mask)",
    ),
    _in(
        "metrics",
        "test_metrics.py",
        "the share of unended is that of ended",
        "1 - rollouts.ended.float().mean()",
        "rollouts.ended.float().mean()",
    ),
    _in(
        "metrics",
        "test_metrics.py",
        "the clipped share is per piece",
        "masked_mean(clipped.float(), mask, total=total)",
        "masked_mean(clipped.float(), mask)",
    ),
    _in(
        "judging",
        "test_best_of_n.py::test_a_completion_without_end_token_gets_the_score_for_that",
        "an unended answer keeps its score",
        'if completion.finish_reason == "stop" else self.missing_end_score',
        "if completion.finish_reason else self.missing_end_score",
    ),
]
