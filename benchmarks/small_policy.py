"""A policy small enough that a study of many trainings is hours and not days: three layers, taught on conversations.

Its tokenizer and its weights are made here, from the conversations of the wheel chitchat-dataset, of which those that
the study's prompts are openings of are left out. It writes English words in something like sentences and knows
nothing; what is studied in it is training, not answers.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from benchmarks.gold_prompts import conversations
from language.checkpoints import publish_checkpoint
from records import Demonstration, Message, write_jsonl
from records.types import Role

ROLES: tuple[Role, Role] = ("user", "assistant")
MOST_TURNS = 8  # of a conversation, an even number: a demonstration ends with an answer

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def write_demonstrations(path: Path, *, left_out: Collection[str], most: int) -> int:
    """The first turns of up to `most` conversations that are not among `left_out` ids; returns how many."""
    return write_jsonl(path, list(_demonstrations(left_out, most)))


def build_small_policy(
    out: Path, texts: Sequence[str], *, layers: int, hidden: int, vocab_size: int, context: int = 512, seed: int = 0
) -> None:
    """Publish an untaught policy at `out`, with a byte-level BPE tokenizer learnt from `texts`."""
    tokenizer = _tokenizer(texts, vocab_size)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=3 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=context,
        initializer_range=0.02,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    publish_checkpoint(out, model=model, tokenizer=tokenizer, name="small", seed=seed)


def _demonstrations(left_out: Collection[str], most: int) -> Iterator[Demonstration]:
    count = 0
    for key, texts in conversations():
        cut = texts[: min(MOST_TURNS, len(texts) // 2 * 2)]
        if count < most and cut and all(cut) and f"chitchat-{key}" not in left_out:
            count += 1
            messages = tuple(Message(role=ROLES[i % 2], content=text) for i, text in enumerate(cut))
            yield Demonstration(
                id=f"chitchat-{key}", messages=messages, split="validation" if count % 50 == 0 else "train"
            )


def _tokenizer(texts: Sequence[str], vocab_size: int) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<pad>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<|im_end|>",
        chat_template=CHATML,
    )


def texts_of(path: Path) -> list[str]:
    """Every message of a file of demonstrations, to learn a tokenizer from."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return ["system\nuser\nassistant\n"] + [
        message["content"] for line in map(json.loads, lines) for message in line["messages"]
    ]
