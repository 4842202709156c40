"""Checkpoints: read any Hugging Face directory safely, and publish our own whole or not at all.

A checkpoint is data. Nothing here unpickles, runs code that came with a model, follows a link or
reaches a network; a directory that would need any of that is refused before a model class sees it.
"""

import json
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from language.chat import end_token_id
from language.model_kinds import POLICY, problem_with
from records.manifest import MANIFEST, ManifestError, publish_directory, verify_directory

_ALLOWED_SUFFIXES = {".json", ".jsonl", ".safetensors", ".txt", ".model", ".jinja", ".md", ".html"}
_ALLOWED_NAMES = re.compile(r"^(LICENSE|NOTICE|USE_POLICY)(\.[a-z]+)?$")
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
_REFUSED_NAMES = {"adapter_config.json": "an adapter; merge it into its base model first"}
# Keys by which a configuration makes transformers import or download code.
_REFUSED_KEYS = {"auto_map", "custom_pipelines", "trust_remote_code", "attn_implementation", "_attn_implementation"}

# transformers patches its own classes while it builds a model: of two at once, one would miss its tied weights.
ONE_LOAD_AT_A_TIME = threading.RLock()

transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # its bars for a second's work hide our own


class CheckpointError(ValueError):
    """A directory that cannot be loaded as a model: where, what, what to do."""


def load_causal_lm(
    directory: str | os.PathLike[str],
    *,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
    expected_sha256: str | None = None,
) -> PreTrainedModel:
    """The language model of a checkpoint directory, in eval mode and without dropout.

    Another model's directory is refused: its trunk would load, and answer without ever having learnt to.
    """
    if problem := problem_with(Path(directory), (POLICY,)):
        raise CheckpointError(problem)
    return _load(AutoModelForCausalLM, Path(directory), dtype, device, expected_sha256)


def load_backbone(
    directory: str | os.PathLike[str],
    *,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
    expected_sha256: str | None = None,
) -> PreTrainedModel:
    """The same model without its unembedding: hidden states out. In eval mode and without dropout."""
    return _load(AutoModel, Path(directory), dtype, device, expected_sha256)


def load_tokenizer(directory: str | os.PathLike[str]) -> PreTrainedTokenizerBase:
    """The tokenizer of a checkpoint directory, with a pad token that is not the end token.

    Were they one, masks made from ids would hide the end token and the model would never learn to
    stop (method reference §4.4 row 2).
    """
    directory = Path(directory)
    require_safe(directory)
    if not any((directory / name).exists() for name in _TOKENIZER_FILES):
        raise CheckpointError(f"{directory}: holds no tokenizer (tokenizer.json); copy the model's own into it")
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            directory, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{directory}: its tokenizer cannot be loaded: {error}") from error
    _separate_pad_from_end(tokenizer, directory)
    return tokenizer


def publish_checkpoint(
    target: str | os.PathLike[str],
    *,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    extra_files: Mapping[str, bytes | Mapping[str, Tensor]] | None = None,
    **facts: Any,
) -> str:
    """Write weights, configuration and tokenizer to `target` with a manifest; all appear by one rename.

    `extra_files` maps a file name to its bytes, or to tensors for a .safetensors file; `facts` go into
    the manifest. Returns the manifest's SHA-256. Raises CheckpointError where a weight is not finite and
    OSError (disk full, no permission); then nothing is published and an earlier `target` is untouched.
    """
    target = Path(target)
    extra_files = extra_files or {}
    _require_finite(model, target)
    for name, content in extra_files.items():
        if not isinstance(content, bytes):
            _require_finite_tensors(content, target / name)
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = target.with_name(f"tmp-{os.getpid()}-{target.name}")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        staging.mkdir()
        _write_checkpoint(staging, model, tokenizer, extra_files)
        return publish_directory(staging, target, **facts)
    except SafetensorError as error:
        raise OSError(f"{target}: cannot be written: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def require_safe(directory: Path, *, expected_sha256: str | None = None) -> None:
    """Raise CheckpointError unless every file of `directory` is one that loading may touch.

    With a manifest (or a hash of one expected) every byte is checked against it as well.
    """
    if not directory.is_dir():
        raise CheckpointError(f"{directory}: no such directory; give the path of a model directory")
    for path in sorted(directory.iterdir()):
        _require_allowed(path)
    if expected_sha256 is not None or (directory / MANIFEST).exists():
        try:
            verify_directory(directory, expected_sha256=expected_sha256)
        except ManifestError as error:
            raise CheckpointError(str(error)) from error


def without_dropout(model: nn.Module) -> nn.Module:
    """Set every dropout of a built model to 0: dropout makes log-probabilities disagree with themselves."""
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
        elif isinstance(getattr(module, "attention_dropout", None), float):
            module.attention_dropout = 0.0  # type: ignore[assignment]
    return model


def _load(
    auto_class: Any, directory: Path, dtype: torch.dtype, device: str | torch.device, expected_sha256: str | None
) -> PreTrainedModel:
    require_safe(directory, expected_sha256=expected_sha256)
    config = _load_config(directory)
    _require_whole_weights(directory)
    try:
        with ONE_LOAD_AT_A_TIME, _without_report():
            model, loading = auto_class.from_pretrained(
                directory,
                config=config,
                dtype=dtype,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                attn_implementation="sdpa",
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported, and refused below in words that help
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise CheckpointError(f"{directory}: its model cannot be loaded: {error}") from error
    _require_all_loaded(loading, directory)
    _say_unused(loading, model, directory)
    without_dropout(model)
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            # Where a model pads with its end token, this would keep the end token from ever being learnt.
            module.padding_idx = None
    loaded: PreTrainedModel = model.to(device).eval()
    return loaded


def _load_config(directory: Path) -> PreTrainedConfig:
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{directory}: its config.json cannot be read: {error}") from error
    for name in vars(config):
        if "dropout" in name or name.endswith("pdrop"):
            setattr(config, name, 0.0)
    return config


def _require_allowed(path: Path) -> None:
    where = f"{path.parent}: {path.name}"
    if path.is_symlink():
        raise CheckpointError(f"{where} is a link; copy the model with its links resolved (cp -rL)")
    if path.name.startswith("."):
        return  # .gitattributes, .cache: nothing here or in transformers reads them
    if path.is_dir():
        raise CheckpointError(f"{where} is a directory; a checkpoint holds plain files only")
    if path.suffix not in _ALLOWED_SUFFIXES and not _ALLOWED_NAMES.match(path.name):
        raise CheckpointError(
            f"{where} is not a file that a checkpoint may hold; weights must be .safetensors, and code and "
            "pickles are never loaded: convert the model, or remove the file"
        )
    if path.name in _REFUSED_NAMES:
        raise CheckpointError(f"{where} makes this {_REFUSED_NAMES[path.name]}")
    if path.suffix == ".json" and path.name.endswith(("config.json", "_map.json")):
        _require_no_code_keys(path)
    if path.suffix == ".safetensors":
        _require_safetensors(path)
    if path.name.endswith(".index.json"):
        _require_index_inside(path)


def _require_no_code_keys(path: Path) -> None:
    found = _keys_of(_read_json(path)) & _REFUSED_KEYS
    if found:
        raise CheckpointError(
            f'{path.parent}: {path.name} has "{min(found)}", by which a model brings code of its own; '
            "only models whose classes transformers already knows are loaded"
        )


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{path.parent}: {path.name} is not readable JSON: {error}") from error


def _keys_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(_keys_of(member) for member in value.values()))
    if isinstance(value, list):
        return set().union(*(_keys_of(member) for member in value))
    return set()


def _require_safetensors(path: Path) -> None:
    try:
        with safe_open(path, framework="pt"):
            pass
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path.parent}: {path.name} is damaged or not a safetensors file ({error}); restore or convert it"
        ) from error


def _require_index_inside(path: Path) -> None:
    index = _read_json(path)
    shards = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(shards, dict):
        raise CheckpointError(f'{path.parent}: {path.name} has no "weight_map"')
    for name in sorted(set(map(str, shards.values()))):
        if Path(name).name != name or not (path.parent / name).is_file():
            raise CheckpointError(f"{path.parent}: {path.name} names {name!r}, which is not a file beside it")


def _require_whole_weights(directory: Path) -> None:
    if not any(directory.glob("model*.safetensors")):
        raise CheckpointError(f"{directory}: holds no weights (model.safetensors)")


def _require_all_loaded(loading: Mapping[str, Any], directory: Path) -> None:
    # transformers fills what is missing with random numbers and only warns.
    for kind in ("missing_keys", "mismatched_keys"):
        names = sorted(map(str, loading.get(kind) or ()))
        if names:
            raise CheckpointError(
                f"{directory}: its weights do not fit its config.json: {len(names)} {kind.replace('_', ' ')}, "
                f"the first is {names[0]}"
            )


@contextmanager
def _without_report() -> Iterator[None]:
    """Inside, transformers keeps its report of a load to itself: what it found is read from the load's own answer."""
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)


def _say_unused(loading: Mapping[str, Any], model: PreTrainedModel, directory: Path) -> None:
    """Name weights that nothing here has a place for. A head over a trunk that is loaded alone is expected."""
    trunk = f"{model.base_model_prefix}."
    is_trunk = model.base_model is model
    unused = [str(name) for name in loading.get("unexpected_keys") or () if not is_trunk or str(name).startswith(trunk)]
    if unused:
        print(f"{directory}: {len(unused)} weights have no place in this model: {min(unused)} …", file=sys.stderr)


def _separate_pad_from_end(tokenizer: PreTrainedTokenizerBase, directory: Path) -> None:
    ends = {end_token_id(tokenizer), tokenizer.eos_token_id}
    if tokenizer.pad_token_id is not None and tokenizer.pad_token_id not in ends:
        return
    taken = ends | {tokenizer.bos_token_id}
    candidates = [
        token.content
        for index, token in sorted(tokenizer.added_tokens_decoder.items())
        if token.special and index not in taken
    ]
    if not candidates:
        raise CheckpointError(f"{directory}: its tokenizer has no token that can serve as padding; add one to it")
    named = [content for content in candidates if "pad" in content.lower()]
    tokenizer.pad_token = (named or candidates)[0]


def _require_finite(model: nn.Module, target: Path) -> None:
    _require_finite_tensors(dict(model.named_parameters()), target)


def _require_finite_tensors(tensors: Mapping[str, Tensor], where: Path) -> None:
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(
                f"{where}: not published: {name} holds values that are not finite; training has diverged "
                "(lower the learning rate and resume from an earlier checkpoint)"
            )


def _write_checkpoint(
    staging: Path,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    extra_files: Mapping[str, bytes | Mapping[str, Tensor]],
) -> None:
    model.save_pretrained(staging)
    tokenizer.save_pretrained(staging)
    for name, content in extra_files.items():
        if isinstance(content, bytes):
            (staging / name).write_bytes(content)
        else:
            save_file({key: tensor.contiguous() for key, tensor in content.items()}, staging / name)
    for path in staging.iterdir():
        path.chmod(0o644)  # safetensors keeps its files to their writer, but other workers read them
