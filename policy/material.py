"""What a run of PPO or RLOO learns from, read: prompts, text to mix in, the watch, and the further reward models.

Knows none of the networks that are trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from transformers import PreTrainedTokenizerBase

from language.options import OptionError, flag
from language.parallel import ALONE, Sharing
from language.reading import say_read
from language.seeds import derived_seed
from policy.dialogues import TokenizedDialogue, tokenize_dialogues
from policy.ensembles import RewardEnsemble, load_ensemble
from policy.inputs import Inputs, RolloutConfig, open_inputs
from policy.judging import Judge, Scorer
from policy.placing import place_scorer
from policy.prompts import PromptSet, TokenizedPrompt, tokenize_prompts
from policy.rollout_source import LOCAL_ENGINE, RolloutSource
from policy.texts import tokenize_texts
from policy.watch import Watch
from records.ppo_sizes import length_problem
from rewardmodel.limits import BEYOND, at_most
from rewardmodel.model import Backbone, context_of, load_reward_model


@dataclass(frozen=True)
class Material:
    """What a run reads: prompts, text to mix in, the tokenizer of all its networks, and their lineage."""

    prompts: PromptSet
    mixed_in: tuple[TokenizedDialogue, ...]
    tokenizer: PreTrainedTokenizerBase
    watch: Watch | None
    ensemble: RewardEnsemble
    made_from: dict[str, dict[str, str]]
    source: RolloutSource = LOCAL_ENGINE
    """Who samples rollouts."""


def load_material(config: RolloutConfig, device: torch.device, sharing: Sharing = ALONE) -> Material:
    """Everything but the networks trained. Raises what `open_inputs` does, and RecordError."""
    inputs = open_inputs(config)
    tokenizer = inputs.tokenizer
    prompts = tokenize_prompts(inputs.prompts, tokenizer, max_tokens=config.max_prompt_tokens)
    answered = at_most(prompts.prompts, config.max_records, id_of=lambda prompt: prompt.id)
    if beyond := len(prompts.prompts) - len(answered):
        prompts = replace(prompts, prompts=answered, left_out={**prompts.left_out, BEYOND: beyond})
    limit = f"--max-prompt-tokens {config.max_prompt_tokens}"
    say_read(config.prompts, "prompts", {"to answer": len(answered)}, prompts.left_out, limit=limit)
    mixed_in: tuple[TokenizedDialogue, ...] = ()
    if inputs.demonstrations is not None:
        longest = config.ptx_microbatch_tokens
        dialogues = tokenize_dialogues(inputs.demonstrations, tokenizer, max_tokens=longest, validation_fraction=0.0)
        used = {"to mix in": len(dialogues.train), "held out": len(dialogues.validation)}
        mixed_limit = f"--ptx-microbatch-tokens {longest}"
        say_read(inputs.demonstrations.path, "dialogues", used, dialogues.left_out, limit=mixed_limit)
        mixed_in += dialogues.train
    if inputs.text is not None:
        texts = tokenize_texts(inputs.text, tokenizer, max_tokens=config.ptx_text_tokens)
        say_read(inputs.text.path, "pieces of text", {"to mix in": len(texts)})
        mixed_in += texts
    dtype = config.trainable.trunk_dtype(config.precision)
    ensemble = load_ensemble(config, dtype=dtype, device=device, precision=config.precision, sharing=sharing)
    require_context(config, prompts.longest, ensemble.trunks)
    watch = load_watch(config, inputs, ensemble, device, sharing) if config.watch_reward is not None else None
    return Material(prompts, mixed_in, tokenizer, watch, ensemble, inputs.made_from)


def load_watch(
    config: RolloutConfig, inputs: Inputs, ensemble: RewardEnsemble, device: torch.device, sharing: Sharing = ALONE
) -> Watch:
    """The watching reward model and its prompts. DataError where no prompt is held out."""
    assert config.watch_reward is not None
    assert inputs.watch_tokenizer is not None
    found = tokenize_prompts(
        inputs.watch_prompts, inputs.tokenizer, max_tokens=config.max_prompt_tokens, split="validation"
    )
    watched = found.prompts[: config.watch_max_prompts or None]
    left_out = {**found.left_out, "beyond_most_prompts": len(found.prompts) - len(watched)}
    limit = f"--max-prompt-tokens {config.max_prompt_tokens}"
    say_read(inputs.watch_prompts.path, "prompts", {"to watch": len(watched)}, left_out, limit=limit)
    reward_model = load_reward_model(config.watch_reward, device=sharing.loading_device(device))
    place_scorer(sharing, reward_model)
    judge = Judge(reward_model, inputs.watch_tokenizer, config.missing_end_score, config.precision)
    return replace(make_watch(config, judge, watched, inputs.tokenizer), ensemble=ensemble)


def make_watch(
    config: RolloutConfig, judge: Scorer, prompts: tuple[TokenizedPrompt, ...], tokenizer: PreTrainedTokenizerBase
) -> Watch:
    """A watch over a run of `config`, with seeds of its own: none of any update's rollouts."""
    params = replace(config.sampling_params(0), seed=derived_seed(config.seed, "watch"))
    return Watch(
        judge, prompts, tokenizer, params, config.missing_end_score, config.precision, config.length_only_tokens
    )


def require_context(config: RolloutConfig, longest_prompt: int, networks: Sequence[Backbone]) -> None:
    """Raise OptionError where the longest prompt with the longest completion does not fit one of these."""
    for network in networks:
        if problem := length_problem(
            prompt_tokens=longest_prompt,
            max_new_tokens=config.max_new_tokens,
            context=context_of(network),
            called=flag,
        ):
            raise OptionError(problem.sentence)
