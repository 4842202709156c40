"""The plumbing of models: tokens drawn, masks and positions, checkpoints, states to resume from."""

from tests.mutants.mutant import Mutant

_STATE_TESTS = {  # not the ones that kill processes
    "the oldest state is loaded": "test_a_damaged_state_is_passed_over_for_the_one_before",
    "a state of another run is taken": "test_a_state_of_another_run_is_refused_with_what_differs",
    "an option that the other run did not have is passed over": (
        "test_an_option_that_the_earlier_run_did_not_have_makes_it_another"
    ),
}


def _in(module: str, test: str, fault: str, before: str, after: str) -> Mutant:
    return Mutant(f"language/{module}.py", fault, ((before, after),), (f"tests/language/{test}",))


def _draws(fault: str, before: str, after: str) -> Mutant:
    return _in("token_sampling", "test_token_sampling.py", fault, before, after)


def _decoding(fault: str, before: str, after: str) -> Mutant:
    test = "test_generation.py::test_a_seed_gives_the_same_tokens_alone_and_in_any_company"
    return _in("decoding", test, fault, before, after)


def _prefixes(fault: str, before: str, after: str) -> Mutant:
    return _in("prefixes", "test_prefixes.py", fault, before, after)


def _engine(fault: str, before: str, after: str) -> Mutant:
    return _in("engine", "test_engine.py", fault, before, after)


def _order(fault: str, before: str, after: str) -> Mutant:
    return _in("batching", "test_batching.py", fault, before, after)


def _chat(fault: str, before: str, after: str) -> Mutant:
    return _in("chat", "test_chat.py", fault, before, after)


def _checkpoints(fault: str, before: str, after: str) -> Mutant:
    return _in("checkpoints", "test_checkpoints.py", fault, before, after)


def _states(fault: str, before: str, after: str) -> Mutant:
    test = _STATE_TESTS.get(fault, "test_everything_that_a_run_draws_and_moves_goes_on_where_it_was")
    return _in("training_state", f"test_training_state.py::{test}", fault, before, after)


def _optimization(fault: str, before: str, after: str) -> Mutant:
    return _in("optimization", "test_optimization.py", fault, before, after)


MUTANTS = [
    _draws("top-p takes one more token on a tie", "before >= top_p *", "before > top_p *"),
    _draws("top-p is of all the mass, not of what top-k left", "top_p * values.sum(dtype=torch.float64)", "top_p"),
    _draws("only 32 bits of a seed are read", 'f"draws/{seed}"', 'f"draws/{seed % 2**32}"'),
    _in(
        "decoding",
        "test_stop_ids.py",
        "only the template's own end token stops a completion",
        "elif token_id in self.stop_ids:",
        "elif False:",
    ),
    _decoding(
        "all completions of a prompt share a seed",
        "params.seed + i, most, others)",
        "params.seed, most, others)",
    ),
    _in(
        "decoding",
        "test_engine.py",
        "a completion begun again goes on in its random numbers",
        "self.token_ids, self.logprobs, self.draws = [], [], Draws(self.seed)",
        "self.token_ids, self.logprobs = [], []",
    ),
    _in(
        "decoding",
        "test_prefixes.py",
        "a token that was never computed counts as known",
        "[*prompt, *row.token_ids[:-1]]",
        "[*prompt, *row.token_ids]",
    ),
    _in(
        "generation",
        "test_generation.py::test_a_seed_gives_the_same_tokens_alone_and_in_any_company",
        "seeds of prompts in one batch overlap",
        "seed=params.seed + j * num_completions)",
        "seed=params.seed + j)",
    ),
    _prefixes("a policy sees what another computed", "if entry.policy == policy and (common", "if (common"),
    _prefixes("the last token is not computed", "prompt_ids[:-1])", "prompt_ids)"),
    _prefixes("what is kept is the batch's own memory", "(keys.clone(), values.clone())", "(keys, values)"),
    _prefixes("the oldest leaves, not the least recently used", "            self._entries.move_to_end(best)\n", ""),
    _in(
        "engine",
        "test_prefixes.py",
        "overnight work takes what others computed",
        "reuse=newcomer.lane != Lane.OVERNIGHT",
        "reuse=True",
    ),
    _engine(
        "a closed engine takes requests",
        "            if self._closed:\n                raise EngineClosed",
        "            if False:\n                raise EngineClosed",
    ),
    _in(
        "seeds",
        "test_seeds.py",
        "places do not count",
        "[run_seed, stream, *places]",
        "[run_seed, stream, *places[:1]]",
    ),
    _order("the epoch is ignored", 'f"order/{seed}/{epoch}"', 'f"order/{seed}"'),
    _order("seed and epoch run together", 'f"order/{seed}/{epoch}"', 'f"order/{seed}{epoch}"'),
    _order(
        "positions count padding",
        "attention_mask.long().cumsum(dim=-1) - 1",
        "attention_mask.long().cumsum(dim=-1) * 0 + torch.arange(attention_mask.shape[1])",
    ),
    _order(
        "a bucket is a token over its budget",
        "grown * lengths[index] <= token_budget",
        "grown * lengths[index] <= token_budget + 1",
    ),
    _chat("a policy's own answers are taught", 'and message.authorship != "policy"', ""),
    _chat("what stands between turns is taught", "taught and position < num_closing for", "taught for"),
    _chat(
        "the end token is not taught",
        "taught and position < num_closing for",
        "taught and position + 1 < num_closing for",
    ),
    _chat("a control token in a text opens a turn", "split_special_tokens=plain", "split_special_tokens=False"),
    _chat(
        "an added token that the template uses may be forged", "if token.special or index in used)", "if token.special)"
    ),
    _in(
        "logprobs",
        "test_logprobs.py",
        "entropy is that of temperature 1",
        "scaled = _scaled(logits, temperature)\n    return scaled.logsumexp",
        "scaled = _scaled(logits, 1.0)\n    return scaled.logsumexp",
    ),
    _checkpoints(
        "a manifest is not verified",
        "if expected_sha256 is not None or (directory / MANIFEST).exists():",
        "if expected_sha256 is not None:",
    ),
    _checkpoints(
        "another checkpoint than the one on record is loaded",
        "verify_directory(directory, expected_sha256=expected_sha256)",
        "verify_directory(directory)",
    ),
    _checkpoints(
        "weights that are not finite are published", "    _require_finite(model, target)\n    for name", "    for name"
    ),
    _checkpoints(
        "a head that is not finite is published",
        "            _require_finite_tensors(content, target / name)\n",
        "            pass\n",
    ),
    _checkpoints(
        "code keys inside a list are passed over",
        "        return set().union(*(_keys_of(member) for member in value))",
        "        return set()",
    ),
    _checkpoints(
        "an embedding never learns the end token", "            module.padding_idx = None\n", "            pass\n"
    ),
    _checkpoints(
        "the pad token is the template's end token",
        "ends = {end_token_id(tokenizer), tokenizer.eos_token_id}",
        "ends = {tokenizer.eos_token_id}",
    ),
    _states(
        "the oldest state is loaded", 'directory.glob(f"{_PREFIX}*"), reverse=True)', 'directory.glob(f"{_PREFIX}*"))'
    ),
    _states(
        "a state of another run is taken", '    _require_same_run(saved, values["run"], _as_json(state.run))\n', ""
    ),
    _states(
        "an option that the other run did not have is passed over",
        "sorted(set(theirs) | set(ours))",
        "sorted(set(theirs))",
    ),
    _states("Adam begins anew", "        optimizer.load_state_dict(_join(", "        (_join("),
    _states(
        "the schedule begins anew", '        schedule.load_state_dict(values["schedules"][name])\n', "        pass\n"
    ),
    _states("generators begin anew", '        generator.set_state(states[f"generator/{name}"])\n', "        pass\n"),
    _states("Python's random numbers begin anew", "    random.setstate((version, tuple(numbers), gauss))\n", ""),
    _states("torch's random numbers begin anew", '    torch.set_rng_state(states["cpu"])\n', ""),
    _states("the place in the epoch is lost", 'values["epoch"], values["position"]', 'values["epoch"], 0'),
    _states("facts of before the resumption stay", "    state.facts.clear()\n", ""),
    _states("a buffer is not kept", "    return {**trained, **buffers}", "    return trained"),
    _in(
        "parallel/idle",
        "parallel/test_sharing.py",
        "pieces that only keep step weigh as others",
        "return 0.0 if isinstance(piece, Idle) else 1.0",
        "return 1.0",
    ),
    _in(
        "parallel/idle",
        "parallel/test_sharing.py",
        "plans are not filled up",
        "    missing = -(-len(pieces) // count) - len(own)\n",
        "    missing = 0\n",
    ),
    _in("lora", "test_lora.py", "adapters have dropout", "lora_dropout=0.0", "lora_dropout=0.1"),
    _in("lora", "test_lora.py", "adapters weigh half", "alpha or 2 * rank", "alpha or rank"),
    _in(
        "lora",
        "test_lora.py",
        "publishing merges the model in training",
        "copy.deepcopy(model).merge_and_unload()",
        "model.merge_and_unload()",
    ),
    _optimization(
        "vectors decay",
        '[p for p in trained if p.ndim < 2], "weight_decay": 0.0',
        '[p for p in trained if p.ndim < 2], "weight_decay": weight_decay',
    ),
    _optimization(
        "betas are torch's own", "betas: tuple[float, float] = (0.9, 0.95)", "betas: tuple[float, float] = (0.9, 0.999)"
    ),
    _optimization(
        "a decay spans the warm-up too",
        "(step - warmup_steps) / max(total_steps - warmup_steps, 1)",
        "step / max(total_steps, 1)",
    ),
]
