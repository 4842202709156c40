"""A tiny policy for tests: a real Llama with random weights and a real byte-level BPE tokenizer.

Everything that works with it works with a large model of the same class: ChatML dialogue, an end
token that is not the pad token, tied embeddings, grouped key-value heads, a published checkpoint.
"""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from language.checkpoints import publish_checkpoint

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

_CORPUS = (
    "system\nuser\nassistant\n",
    "Hello! How are you today? I am well, thank you, and how are you?",
    "What is the capital of France? The capital of France is Paris.",
    "Please write a short poem about the sea and the sky. The sea is blue and the sky is wide.",
    "I do not know the answer to that question, but I can tell you what I would try first.",
)


def build_tiny_policy(
    directory: str | Path,
    *,
    seed: int = 0,
    hidden_size: int = 32,
    num_layers: int = 2,
    num_heads: int = 4,
    num_kv_heads: int = 2,
    max_length: int = 512,
    vocab_size: int = 320,
) -> Path:
    """Publish a tiny policy at `directory` and return the path. The same arguments give the same bytes."""
    tokenizer = build_tiny_tokenizer(vocab_size=vocab_size)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        num_hidden_layers=num_layers,
        num_attention_heads=num_heads,
        num_key_value_heads=num_kv_heads,
        max_position_embeddings=max_length,
        initializer_range=0.1,  # wide enough that the next-token distribution is not flat
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    publish_checkpoint(directory, model=model, tokenizer=tokenizer, name="tiny", seed=seed)
    return Path(directory)


def build_tiny_tokenizer(*, vocab_size: int = 320) -> PreTrainedTokenizerFast:
    """A ChatML tokenizer over bytes, with a few merges learnt from a handful of sentences."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<pad>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<|im_end|>", chat_template=CHATML
    )
