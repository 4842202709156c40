"""DPO and KTO: formulas, what of a batch is whole, references, ties, splits and the epoch that is published."""

from tests.mutants.mutant import Mutant


def _in(module: str, test: str, fault: str, before: str, after: str) -> Mutant:
    return Mutant(f"policy/{module}.py", fault, ((before, after),), (f"tests/policy/{test}",))


def _objective(fault: str, before: str, after: str) -> Mutant:
    return _in("preference_objective", "test_preference_objective.py", fault, before, after)


MUTANTS = [
    _objective("implicit rewards do without the reference", "beta * (logprobs - ref_logprobs)", "beta * logprobs"),
    _objective("a tie is a choice", "tiers[None, :] > tiers[:, None]", "tiers[None, :] >= tiers[:, None]"),
    _objective(
        "the worse is chosen from the better", "tiers[None, :] > tiers[:, None]", "tiers[None, :] < tiers[:, None]"
    ),
    _objective("the reference point falls below 0", "max(0.0, float(mismatched", "min(1e9, float(mismatched"),
    _objective(
        "thumbs change sides", "desirable_weight * torch.sigmoid(-gain)", "desirable_weight * torch.sigmoid(gain)"
    ),
    _objective("the commoner kind weighs more", "max(1.0, ratio / _MOST_RATIO)", "max(1.0, _MOST_RATIO / ratio)"),
    _objective("drift has no denominator", "double().sum()) / num_tokens", "double().sum())"),
    _in(
        "preference_loop",
        "test_dpo.py::test_a_step_has_the_loss_and_gradient_of_naive_pairs_however_it_is_cut",
        "a piece's losses are not divided by the batch's number",
        "(loss / count * weight_of(piece)).backward()",
        "(loss / method.count(piece) * weight_of(piece)).backward()",
    ),
    _in(
        "preference_loop",
        "test_dpo.py::test_the_epoch_of_the_lowest_held_out_loss_is_published_and_a_rise_is_said",
        "every epoch takes the place of the one that is kept",
        "if figures and best_epoch(",
        "if figures or best_epoch(",
    ),
    _in(
        "dpo",
        "test_dpo.py::test_a_step_has_the_loss_and_gradient_of_naive_pairs_however_it_is_cut",
        "a margin is of gaps, not of strengths",
        "pairs.strengths.to(rewards)",
        "pairs.tier_gaps.to(rewards)",
    ),
    _in(
        "kto",
        "test_kto.py::test_a_step_has_the_loss_and_gradient_of_the_printed_form_however_it_is_cut",
        "the reference point is of what was judged",
        "Side(thumb, thumb.mismatched)",
        "Side(thumb, thumb.judged)",
    ),
    _in(
        "kto",
        "test_kto.py::test_another_seed_is_another_order_of_the_same_thumbs",
        "every seed has one order of thumbs",
        "seeded_order(len(self.data.train), seed=self.config.seed, epoch=epoch)",
        "seeded_order(len(self.data.train), seed=0, epoch=epoch)",
    ),
    _in(
        "thumbs",
        "test_kto.py::test_every_thumb_is_lent_a_completion_of_another_prompt",
        "a thumb borrows from its own prompt",
        "if one.prompt_ids != thumb.prompt_ids), None)",
        "if one.id != thumb.id), None)",
    ),
    _in(
        "thumbs",
        "test_kto.py::test_what_is_held_out_is_not_learnt_and_all_is_counted",
        "prompts that are held out are learnt from",
        "if thumb.id not in leaking]",
        "]",
    ),
    _in(
        "preferences",
        "test_dpo.py::test_ties_are_left_out_and_counted_and_a_choice_has_none",
        "what a choice says nothing of is tied",
        "ranking.tiers[:-1] if ranking.choice else ranking.tiers",
        "ranking.tiers",
    ),
    _in(
        "sequence_logprobs",
        "test_dpo.py::test_the_reference_is_asked_again_where_anything_it_hangs_on_is_another",
        "what another start said is believed",
        '.get("key") != digest',
        '.get("key") is None',
    ),
]
