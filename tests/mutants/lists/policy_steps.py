"""How an update of PPO is cut into steps and trained: orders, denominators, clipping, what is forwarded once."""

from tests.mutants.mutant import Mutant


def _in(module: str, test: str, fault: str, before: str, after: str) -> Mutant:
    return Mutant(f"policy/{module}.py", fault, ((before, after),), (f"tests/policy/{test}",))


def _plan(fault: str, before: str, after: str) -> Mutant:
    return _in("plan", "test_plan.py", fault, before, after)


def _steps(test: str, fault: str, before: str, after: str) -> Mutant:
    return _in("minibatches", f"test_ppo.py::{test}", fault, before, after)


_TEXT = "test_every_update_has_an_order_of_its_own_and_goes_on_in_the_text"
_ONCE = "test_forwarding_once_gives_the_bits_of_forwarding_twice"
_CUT = "test_the_cut_into_pieces_does_not_change_a_gradient"

MUTANTS = [
    _plan(
        "every update has the order of the first",
        'seed=derived_seed(seed, "minibatches", update), epoch=epoch)',
        'seed=derived_seed(seed, "minibatches"), epoch=epoch)',
    ),
    _plan(
        "every epoch has the order of the first",
        'seed=derived_seed(seed, "minibatches", update), epoch=epoch)',
        'seed=derived_seed(seed, "minibatches", update), epoch=0)',
    ),
    _plan(
        "the seed of the order is ignored",
        'derived_seed(seed, "minibatches", update)',
        'derived_seed(0, "minibatches", update)',
    ),
    _plan(
        "minibatches are runs of neighbours by length",
        "order = seeded_order(num_rows // together, seed",
        "order = list(range(num_rows // together)) or seeded_order(num_rows // together, seed",
    ),
    _plan(
        "prompts are torn apart where they need not be",
        "rollouts.num_completions if minibatch_size % rollouts.num_completions == 0 else 1",
        "1",
    ),
    _in(
        "minibatches",
        f"test_plan.py::{_TEXT}",
        "every update has the same text mixed in",
        "draw(mixed_in, start=update * count, count=count",
        "draw(mixed_in, start=0, count=count",
    ),
    _in(
        "minibatches",
        f"test_plan.py::{_TEXT}",
        "every step has the same text mixed in",
        "texts = iter(draw(",
        "texts = list(draw(",
    ),
    _in(
        "minibatches",
        f"test_plan.py::{_TEXT}",
        "the seed of the text is ignored",
        'derived_seed(config.seed, "mixed-in text")',
        'derived_seed(0, "mixed-in text")',
    ),
    _steps(
        _CUT,
        "every piece is a policy loss of its own",
        "policy_loss = objective.masked_mean(losses, mask, total=total)",
        "policy_loss = objective.masked_mean(losses, mask)",
    ),
    _steps(
        _CUT,
        "every piece is a value loss of its own",
        "value_loss = objective.masked_mean(losses, mask, total=total)",
        "value_loss = objective.masked_mean(losses, mask)",
    ),
    _in(
        "minibatches",
        f"test_first_pass.py::{_ONCE}",
        "what was forwarded for the record is forwarded again",
        'if (logprobs := first_pass.take("policy")) is None:',
        'if first_pass.take("policy") is None or (logprobs := None) is None:',
    ),
    _in(
        "first_pass",
        "test_first_pass.py",
        "a forward is trained from twice",
        "return self._kept.pop(network, None)",
        "return self._kept.get(network)",
    ),
    _steps(_CUT, "gradients of earlier steps add up", "    policy.zero_grad(set_to_none=True)\n", ""),
    _steps(
        "test_the_training_pass_is_at_the_temperature_of_sampling",
        "the training pass ignores the temperature",
        "logprobs = completion_logprobs(policy, groups, temperature=config.temperature)",
        "logprobs = completion_logprobs(policy, groups, temperature=1.0)",
    ),
    _steps(
        "test_policy_and_value_model_are_clipped_apart_and_their_norms_before_are_told",
        "the value model is not clipped",
        "metrics[name] = clip_gradients(learner.model, max_norm=config.max_grad_norm)",
        'metrics[name] = clip_gradients(learner.model, max_norm=config.max_grad_norm if name == "grad_norm" else 1e9)',
    ),
    _steps(
        "test_values_are_clipped_by_their_own_range",
        "values are clipped by the policy's range",
        "returns, clip_range=config.value_clip_range)",
        "returns, clip_range=config.clip_range)",
    ),
]
