"""Loading refuses what it must, and publishing is whole or nothing."""

import json
import math
import os
import pickle
import shutil
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast

from language.checkpoints import (
    CheckpointError,
    load_backbone,
    load_causal_lm,
    load_tokenizer,
    publish_checkpoint,
    require_safe,
)
from records import read_manifest, verify_directory
from tests.tiny import build_tiny_policy, build_tiny_tokenizer


class Bomb:
    """Unpickling this would leave a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (str(self.mark),))


@pytest.fixture
def foreign(tiny_policy: Path, tmp_path: Path) -> Path:
    """A checkpoint as others publish them: no manifest of ours, so anything may be in it."""
    directory = tmp_path / "foreign"
    shutil.copytree(tiny_policy, directory)
    (directory / "manifest.json").unlink()
    return directory


def edit_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_it_loads_a_published_checkpoint_in_eval_mode_without_dropout(tiny_policy: Path) -> None:
    model = load_causal_lm(tiny_policy)
    assert not model.training
    assert model.dtype == torch.float32
    assert model.config.attention_dropout == 0.0


def test_many_threads_can_load_at_once(tiny_policy: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        models = list(pool.map(lambda _: load_causal_lm(tiny_policy), range(32)))
    assert len(models) == 32
    for model in models:
        assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_dropout_in_the_configuration_is_turned_off(foreign: Path) -> None:
    edit_json(foreign / "config.json", attention_dropout=0.5)
    model = load_causal_lm(foreign).train()
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(model(ids).logits, model(ids).logits)


def test_it_loads_any_plain_directory_without_a_manifest(foreign: Path, tiny_policy: Path) -> None:
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(load_causal_lm(foreign)(ids).logits, load_causal_lm(tiny_policy)(ids).logits)


def test_the_backbone_has_no_unembedding_and_the_same_hidden_states(tiny_policy: Path) -> None:
    ids = torch.tensor([[5, 6, 7]])
    whole, backbone = load_causal_lm(tiny_policy), load_backbone(tiny_policy)
    assert not hasattr(backbone, "lm_head")
    assert torch.equal(backbone(ids).last_hidden_state, whole.model(ids).last_hidden_state)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.safetensors", "training_args.bin", "x.pkl"])
def test_a_pickle_is_refused_and_never_opened(foreign: Path, tmp_path: Path, name: str) -> None:
    mark = tmp_path / "exploded"
    (foreign / name).write_bytes(pickle.dumps(Bomb(mark)))
    for load in (load_causal_lm, load_backbone, load_tokenizer):
        with pytest.raises(CheckpointError, match=name):
            load(foreign)
    assert not mark.exists()


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
@pytest.mark.parametrize("key", ["auto_map", "trust_remote_code", "_attn_implementation"])
@pytest.mark.parametrize("listed", [False, True])
def test_a_configuration_that_brings_code_is_refused(foreign: Path, file: str, key: str, *, listed: bool) -> None:
    code = {key: {"AutoModel": "evil.Model"}}
    edit_json(foreign / file, text_config={"deep": [code] if listed else code})
    with pytest.raises(CheckpointError, match=f'{file} has "{key}"'):
        load_tokenizer(foreign)


def test_python_files_are_refused(foreign: Path) -> None:
    (foreign / "modeling_evil.py").write_text("raise SystemExit")
    with pytest.raises(CheckpointError, match=r"modeling_evil.py is not a file that a checkpoint may hold"):
        load_causal_lm(foreign)


def test_links_are_refused(foreign: Path, tmp_path: Path) -> None:
    shutil.move(foreign / "model.safetensors", tmp_path / "elsewhere.safetensors")
    (foreign / "model.safetensors").symlink_to(tmp_path / "elsewhere.safetensors")
    with pytest.raises(CheckpointError, match=r"model.safetensors is a link; copy .*cp -rL"):
        load_causal_lm(foreign)


def test_directories_and_adapters_are_refused(foreign: Path) -> None:
    (foreign / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="merge it into its base model first"):
        load_causal_lm(foreign)
    (foreign / "adapter_config.json").unlink()
    (foreign / "inner").mkdir()
    with pytest.raises(CheckpointError, match="inner is a directory"):
        load_causal_lm(foreign)


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_truncated_weights_are_refused(foreign: Path, kept: int) -> None:
    path = foreign / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"model.safetensors is damaged or not a safetensors file"):
        load_causal_lm(foreign)


def test_a_header_that_claims_to_be_huge_is_refused(foreign: Path) -> None:
    (foreign / "model.safetensors").write_bytes(struct.pack("<Q", 2**62) + b"{}")
    with pytest.raises(CheckpointError, match="damaged"):
        load_causal_lm(foreign)


def test_an_index_cannot_point_outside_the_directory(foreign: Path) -> None:
    index = {"weight_map": {"model.norm.weight": "../evil.safetensors"}}
    (foreign / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"names '../evil.safetensors', which is not a file beside it"):
        load_causal_lm(foreign)


def test_weights_that_miss_a_tensor_are_refused_rather_than_filled_with_noise(foreign: Path) -> None:
    tensors = load_file(foreign / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, foreign / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"1 missing keys, the first is model.layers.1.mlp.up_proj.weight"):
        load_causal_lm(foreign)


def test_weights_of_another_shape_are_refused(foreign: Path) -> None:
    edit_json(foreign / "config.json", intermediate_size=80)
    with pytest.raises(CheckpointError, match="model"):
        load_causal_lm(foreign)


def test_unknown_model_classes_are_refused(foreign: Path) -> None:
    edit_json(foreign / "config.json", model_type="evil")
    with pytest.raises(CheckpointError, match=r"config.json cannot be read"):
        load_causal_lm(foreign)


def test_a_changed_byte_is_found_by_the_manifest(tiny_policy: Path, tmp_path: Path) -> None:
    directory = tmp_path / "copy"
    shutil.copytree(tiny_policy, directory)
    path = directory / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model.safetensors is damaged \(its hash differs"):
        load_causal_lm(directory)


def test_a_directory_that_is_not_the_one_on_record_is_refused(tiny_policy: Path) -> None:
    with pytest.raises(CheckpointError, match="not the one on record"):
        load_causal_lm(tiny_policy, expected_sha256="0" * 64)


def test_a_hash_on_record_demands_a_manifest(foreign: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no manifest.json"):
        require_safe(foreign, expected_sha256="0" * 64)


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(foreign: Path, missing: str) -> None:
    (foreign / missing).unlink()
    with pytest.raises(CheckpointError, match=missing):
        load_tokenizer(foreign) if missing == "tokenizer.json" else load_causal_lm(foreign)


def test_a_missing_directory_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such directory; give the path of a model directory"):
        load_causal_lm(tmp_path / "nowhere")


def test_a_pad_token_that_is_the_end_token_is_replaced(foreign: Path) -> None:
    tokenizer = build_tiny_tokenizer()
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer.save_pretrained(foreign)
    assert load_tokenizer(foreign).pad_token == "<pad>"


def test_the_token_that_ends_a_turn_is_no_padding_whatever_the_tokenizer_calls_its_end(foreign: Path) -> None:
    tokenizer = build_tiny_tokenizer()
    tokenizer.eos_token = "<pad>"  # as base models have it: the end of a document, not of a turn
    tokenizer.pad_token = "<|im_end|>"
    tokenizer.save_pretrained(foreign)
    assert load_tokenizer(foreign).pad_token == "<|im_start|>"


def test_a_model_that_pads_with_its_end_token_still_learns_that_token(foreign: Path) -> None:
    end = load_tokenizer(foreign).eos_token_id
    edit_json(foreign / "config.json", pad_token_id=end)
    embedding = load_causal_lm(foreign).get_input_embeddings()
    embedding(torch.tensor([end])).sum().backward()
    assert embedding.weight.grad[end].abs().min() > 0


def test_a_tokenizer_without_any_token_for_padding_is_refused(foreign: Path) -> None:
    tokenizer = build_tiny_tokenizer()
    bare = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer, eos_token="<|im_end|>",
                                   bos_token="<pad>", unk_token="<|im_end|>",
                                   chat_template=tokenizer.chat_template.replace("<|im_start|>", "<pad>"))  # fmt: skip
    bare.save_pretrained(foreign)
    saved = json.loads((foreign / "tokenizer.json").read_text())
    saved["added_tokens"] = [token for token in saved["added_tokens"] if token["content"] != "<|im_start|>"]
    (foreign / "tokenizer.json").write_text(json.dumps(saved))
    with pytest.raises(CheckpointError, match="no token that can serve as padding"):
        load_tokenizer(foreign)


def test_publishing_writes_facts_extra_files_and_a_hash_that_loading_accepts(tiny_policy: Path, tmp_path: Path) -> None:
    model, tokenizer = load_causal_lm(tiny_policy), load_tokenizer(tiny_policy)
    extra = {"notes.json": b"{}", "head.safetensors": {"weight": torch.ones(3)}}
    sha256 = publish_checkpoint(tmp_path / "out", model=model, tokenizer=tokenizer, extra_files=extra, base="tiny")
    assert read_manifest(tmp_path / "out")["base"] == "tiny"
    assert torch.equal(load_file(tmp_path / "out" / "head.safetensors")["weight"], torch.ones(3))
    again = load_causal_lm(tmp_path / "out", expected_sha256=sha256)
    assert again.num_parameters() == model.num_parameters() > 0
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_publishing_refuses_weights_that_are_not_finite_and_keeps_the_earlier_ones(tmp_path: Path) -> None:
    target = build_tiny_policy(tmp_path / "out")
    model, tokenizer = load_causal_lm(target), load_tokenizer(target)
    with torch.no_grad():
        model.model.norm.weight[0] = float("nan")
    with pytest.raises(CheckpointError, match=r"model.norm.weight holds values that are not finite"):
        publish_checkpoint(target, model=model, tokenizer=tokenizer)
    verify_directory(target)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_head_that_is_not_finite_is_not_published_either(tiny_policy: Path, tmp_path: Path) -> None:
    model, tokenizer = load_causal_lm(tiny_policy), load_tokenizer(tiny_policy)
    head = {"weight": torch.tensor([1.0, math.inf])}
    with pytest.raises(CheckpointError, match=r"head\.safetensors: not published: weight holds"):
        publish_checkpoint(tmp_path / "out", model=model, tokenizer=tokenizer, extra_files={"head.safetensors": head})
    assert not list(tmp_path.iterdir())


def test_the_same_arguments_publish_the_same_bytes(tmp_path: Path) -> None:
    one, two = build_tiny_policy(tmp_path / "one", seed=3), build_tiny_policy(tmp_path / "two", seed=3)
    assert (one / "manifest.json").read_bytes() == (two / "manifest.json").read_bytes()
