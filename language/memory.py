"""How many bytes a training program holds, by arithmetic: which model fits on which machine. Nothing is measured here.

Counted is what stays in memory: weights, gradients and AdamW's moments, of every network that a program has. What
comes and goes, activations and keys and values, is counted apart, and roughly. `python -m language.memory` prints the
tables of docs/scale.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Program = Literal["sft", "reward_model", "dpo", "rloo", "ppo"]
PROGRAMS: tuple[Program, ...] = ("sft", "reward_model", "dpo", "rloo", "ppo")

_FP32, _BF16 = 4, 2
_TRAINED = 4 * _FP32  # a trained parameter: itself, its gradient, AdamW's two moments
_STATE = 3 * _FP32  # of one in a resumable state, which has no gradient

# Bytes of a layer's activations per token and unit of width, in 16 bits, where attention keeps no matrix of scores
# (Korthikanti et al. 2022, arXiv 2205.05198, Eq. 1 without its second term). Of GPT's layers; Llama's are wider inside.
_ACTIVATION = 34
# Copies of the logits in fp32 at once: themselves, their softmax, their gradient.
_LOGITS = 3


@dataclass(frozen=True)
class Shape:
    """A Llama-like model: what its number of parameters follows from."""

    name: str
    layers: int
    width: int
    inner: int
    heads: int
    kv_heads: int
    vocabulary: int
    tied: bool
    """Whether the unembedding is the embedding."""

    @property
    def kv_width(self) -> int:
        """Numbers in a token's keys of one layer, and in its values."""
        return self.width // self.heads * self.kv_heads

    @property
    def linears(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of a layer's linear maps: queries, keys, values, output, gate, up, down."""
        attention = ((self.width, self.width), *((self.width, self.kv_width),) * 2, (self.width, self.width))
        return (*attention, (self.width, self.inner), (self.width, self.inner), (self.inner, self.width))

    @property
    def trunk(self) -> int:
        """Parameters without an unembedding of its own: of a reward or value model, but for its head."""
        layer = sum(rows * columns for rows, columns in self.linears) + 2 * self.width
        return self.vocabulary * self.width + self.layers * layer + self.width

    @property
    def parameters(self) -> int:
        """Parameters of the language model."""
        return self.trunk + (0 if self.tied else self.vocabulary * self.width)

    def adapters(self, rank: int) -> int:
        """Parameters of LoRA's factors beside all linear maps of the layers."""
        return self.layers * sum(rank * (rows + columns) for rows, columns in self.linears)


SHAPES = (
    Shape("SmolLM2 135M", 30, 576, 1536, 9, 3, 49152, tied=True),
    Shape("Llama 3.2 1B", 16, 2048, 8192, 32, 8, 128256, tied=True),
    Shape("Llama 3.1 8B", 32, 4096, 14336, 32, 8, 128256, tied=False),
    Shape("Llama 3.1 70B", 80, 8192, 28672, 64, 8, 128256, tied=False),
)


@dataclass(frozen=True)
class Networks:
    """What a program has in memory: language models and trunks (reward and value models), trained or frozen."""

    trained_models: int = 0
    trained_trunks: int = 0
    frozen_models: int = 0
    frozen_trunks: int = 0


# Of all parameters: the policy and its start; PPO's value model and its start, the reward model; RLOO's reward model.
# DPO asks its start before it trains, of the same network.
_FULL: dict[Program, Networks] = {
    "sft": Networks(trained_models=1),
    "reward_model": Networks(trained_trunks=1),
    "dpo": Networks(trained_models=1),
    "rloo": Networks(trained_models=1, frozen_models=1, frozen_trunks=1),
    "ppo": Networks(trained_models=1, trained_trunks=1, frozen_models=1, frozen_trunks=1),
}
# With adapters a start is the same network without them.
_LORA: dict[Program, Networks] = {
    **_FULL,
    "rloo": Networks(trained_models=1, frozen_trunks=1),
    "ppo": Networks(trained_models=1, trained_trunks=1),
}


def held_bytes(program: Program, shape: Shape, *, sharded_over: int = 1) -> int:
    """Bytes that stay on each process where all parameters are trained, weights in fp32, every network in equal shards.

    Without shards each process holds everything, however many there are. In bf16 weights are kept in fp32 as well;
    PPO and RLOO then sample from a copy of 2 bytes a parameter, which goes again.
    """
    networks = _FULL[program]
    trained = networks.trained_models * shape.parameters + networks.trained_trunks * shape.trunk
    frozen = networks.frozen_models * shape.parameters + networks.frozen_trunks * shape.trunk
    return -(-(_TRAINED * trained + _FP32 * frozen) // sharded_over)


def lora_bytes(program: Program, shape: Shape, *, rank: int = 16) -> int:
    """The same with adapters of this rank, --precision bf16: frozen weights in bf16, adapters trained in fp32.

    The reward model's program keeps its frozen weights in fp32.
    """
    networks = _LORA[program]
    models = networks.trained_models + networks.frozen_models
    trunks = networks.trained_trunks + networks.frozen_trunks
    adapters = (networks.trained_models + networks.trained_trunks) * shape.adapters(rank)
    frozen = _FP32 if program == "reward_model" else _BF16
    return frozen * (models * shape.parameters + trunks * shape.trunk) + _TRAINED * adapters


def state_bytes(program: Program, shape: Shape) -> int:
    """Bytes of one resumable state on disk, all parameters trained; a run keeps two and writes a third."""
    networks = _FULL[program]
    return _STATE * (networks.trained_models * shape.parameters + networks.trained_trunks * shape.trunk)


def activation_bytes(shape: Shape, *, tokens: int) -> int:
    """Bytes of a forward pass of so many tokens that wait for its backward, in bf16, without checkpointing: roughly."""
    return _ACTIVATION * tokens * shape.width * shape.layers + _LOGITS * _FP32 * tokens * shape.vocabulary


def cache_bytes(shape: Shape, *, rows: int, tokens: int) -> int:
    """Bytes of keys and values while `rows` completions of so many tokens, prompts included, are sampled in bf16."""
    return 2 * _BF16 * rows * tokens * shape.kv_width * shape.layers


def held_table(shapes: Iterable[Shape] = SHAPES) -> str:
    """What stays in memory, as a table of Markdown, in GB (10⁹ bytes)."""
    lines = [
        "| model | parameters | program | all parameters, one process | sharded over 8 | over 64 "
        "| LoRA, bf16, one process | a state on disk |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for shape in shapes:
        for program in PROGRAMS:
            cells = (
                held_bytes(program, shape),
                held_bytes(program, shape, sharded_over=8),
                held_bytes(program, shape, sharded_over=64),
                lora_bytes(program, shape),
                state_bytes(program, shape),
            )
            name = program.replace("_", " ")
            lines.append(
                f"| {shape.name} | {shape.parameters / 1e9:.3f} · 10⁹ | {name} | {' | '.join(map(_gigabytes, cells))} |"
            )
    return "\n".join(lines)


def passing_table(shapes: Iterable[Shape] = SHAPES) -> str:
    """What comes and goes, as a table of Markdown, in GB: of a pass that trains, and while sampling."""
    lines = [
        "| model | a training pass of 8 × 512 tokens | keys and values of 64 × 768 tokens | of 256 × 768 |",
        "|---|---|---|---|",
    ]
    for shape in shapes:
        cells = (
            activation_bytes(shape, tokens=8 * 512),
            cache_bytes(shape, rows=64, tokens=768),
            cache_bytes(shape, rows=256, tokens=768),
        )
        lines.append(f"| {shape.name} | {' | '.join(map(_gigabytes, cells))} |")
    return "\n".join(lines)


def _gigabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:,.1f}"


if __name__ == "__main__":
    print(held_table(), passing_table(), sep="\n\n")
