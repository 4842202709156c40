"""Memory of the loss over a large vocabulary: by chunks over all logits at once, each side a process of its own.

A small trunk under a vocabulary of Llama 3's size, so that next to nothing but the loss is measured: how far the
resident memory rises above the loaded model while one batch's loss and gradients are computed.
"""

import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.beside_trl import run_side
from benchmarks.figures import Figure, summarise
from language import chunked_logprobs
from policy.dialogues import TokenizedDialogue, target_nlls

VOCABULARY = 128_256
TOKENS = 2_048
HIDDEN = 256
REPEATS = 3


def figures() -> Iterator[Figure]:
    """Peak of the loss and its gradients by chunks over the plain form's, and the same of CPU seconds."""
    sides = [{form: _measured(form) for form in ("plain", "chunked")} for _ in range(REPEATS)]
    for name, key in (("memory", "peak_bytes"), ("time", "cpu_seconds")):
        yield summarise(
            f"policy.chunked_loss_{name}_ratio",
            [side["chunked"][key] / side["plain"][key] for side in sides],
            unit="times",
            tokens=TOKENS,
            vocabulary=VOCABULARY,
            hidden=HIDDEN,
            precision="fp32",
            **{form: [side[form][key] for side in sides] for form in ("plain", "chunked")},
        )


def _measured(form: str) -> dict[str, float]:
    return run_side([sys.executable, "-m", "benchmarks.chunked", form])


def main(form: str) -> None:
    """One side: prints its figures as one JSON line."""
    torch.set_num_threads(1)
    chunked_logprobs.MOST_LOGITS = 0 if form == "chunked" else 2**62
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=4,
        tie_word_embeddings=True,
        max_position_embeddings=TOKENS,
    )
    model = LlamaForCausalLM(config).eval()  # type: ignore[no-untyped-call]
    ids = torch.randint(VOCABULARY, (TOKENS,), generator=torch.Generator().manual_seed(0)).tolist()
    few = [TokenizedDialogue("few", tuple(ids[:8]), (True,) * 8)]
    target_nlls(model, few, packing=True).sum().backward()  # type: ignore[no-untyped-call]  # probes, and the gradients' own memory
    before, began = _resident_bytes(), time.process_time()
    loss = target_nlls(model, [TokenizedDialogue("all", tuple(ids), (True,) * TOKENS)], packing=True).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    print(json.dumps({"peak_bytes": peak, "cpu_seconds": seconds, "loss": loss.item()}))


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main(sys.argv[1])
