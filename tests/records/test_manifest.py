"""Published directories: whole, what their manifest says, and nothing besides."""

import json
from pathlib import Path
from typing import Any

import pytest

from records import ManifestError, publish_directory, read_manifest, verify_directory
from records.manifest import MANIFEST, sha256_of


@pytest.fixture
def published(tmp_path: Path) -> Path:
    _publish(tmp_path, {"data.jsonl": "one\ntwo\n", "card.md": "# Card\n"})
    return tmp_path / "target"


def _publish(folder: Path, files: dict[str, str], **facts: Any) -> str:
    staging = folder / "staging"
    staging.mkdir()
    for name, text in files.items():
        (staging / name).write_text(text)
    return publish_directory(staging, folder / "target", **facts)


def _rewrite(directory: Path, **changes: Any) -> None:
    manifest = read_manifest(directory)
    (directory / MANIFEST).write_text(json.dumps({**manifest, **changes}))


def test_every_file_stands_in_the_manifest_with_its_size_and_hash(tmp_path: Path) -> None:
    sha256 = _publish(tmp_path, {"a.txt": "abc", MANIFEST: "left by another attempt"}, kind="prompts")
    assert not (tmp_path / "staging").exists()
    assert verify_directory(tmp_path / "target", expected_sha256=sha256) == {
        "kind": "prompts",
        "files": {
            "a.txt": {"size": 3, "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        },
    }
    assert sha256 == sha256_of(tmp_path / "target" / MANIFEST)


def test_a_directory_takes_the_place_of_an_older_one_whole(tmp_path: Path, published: Path) -> None:
    _publish(tmp_path, {"other.txt": "new"})
    assert set(verify_directory(published)["files"]) == {"other.txt"}
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_a_byte_that_changed_is_found_where_the_size_is_the_same(published: Path) -> None:
    (published / "data.jsonl").write_text("one\ntwO\n")
    with pytest.raises(ManifestError, match=r"data\.jsonl is damaged"):
        verify_directory(published)


def test_a_file_that_is_missing_foreign_or_only_a_link_is_refused(tmp_path: Path, published: Path) -> None:
    card = (published / "card.md").read_text()
    (published / "card.md").unlink()
    with pytest.raises(ManifestError, match=r"card\.md is missing"):
        verify_directory(published)
    (tmp_path / "elsewhere.md").write_text(card)
    (published / "card.md").symlink_to(tmp_path / "elsewhere.md")
    with pytest.raises(ManifestError, match=r"card\.md is missing"):
        verify_directory(published)
    (published / "card.md").unlink()
    (published / "card.md").write_text(card)
    (published / "more.txt").write_text("x")
    with pytest.raises(ManifestError, match=r"more\.txt, which the manifest does not name"):
        verify_directory(published)


@pytest.mark.parametrize("name", ["../elsewhere.md", "/etc/hostname", ".hidden", "a/b", ""])
def test_a_manifest_cannot_name_what_lies_outside(tmp_path: Path, published: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere.md"
    elsewhere.write_text("x")
    entry = {"size": 1, "sha256": sha256_of(elsewhere)}
    _rewrite(published, files={**read_manifest(published)["files"], name: entry})
    with pytest.raises(ManifestError, match="not allowed"):
        verify_directory(published)


def test_a_manifest_that_is_not_the_one_on_record_is_refused(tmp_path: Path) -> None:
    sha256 = _publish(tmp_path, {"data.jsonl": "one\n"}, kind="prompts")
    verify_directory(tmp_path / "target", expected_sha256=sha256)
    _rewrite(tmp_path / "target", kind="rankings")
    verify_directory(tmp_path / "target")
    with pytest.raises(ManifestError, match="not the one on record"):
        verify_directory(tmp_path / "target", expected_sha256=sha256)


def test_only_plain_files_can_be_published(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    (staging / "folder").mkdir(parents=True)
    with pytest.raises(ManifestError, match="only plain files"):
        publish_directory(staging, tmp_path / "target")
    (staging / "folder").rmdir()
    (staging / "link").symlink_to("/etc/hostname")
    with pytest.raises(ManifestError, match="only plain files"):
        publish_directory(staging, tmp_path / "target")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(("text", "complaint"), [("{", "unreadable"), ("[]", "has no"), ('{"files": []}', "has no")])
def test_a_manifest_that_is_none_is_refused(published: Path, text: str, complaint: str) -> None:
    (published / MANIFEST).write_text(text)
    with pytest.raises(ManifestError, match=complaint):
        read_manifest(published)
    (published / MANIFEST).unlink()
    with pytest.raises(ManifestError, match="not a published directory"):
        read_manifest(published)
