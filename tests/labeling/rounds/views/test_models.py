"""The registry: every model with where it comes from."""

import io
import tarfile
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import AuditEvent, Export, Policy, Project, RewardModel, TrainingJob, User
from labeling.rounds.model_comparison import option_lines
from labeling.web.tar_stream import TarMember, tar_pieces
from records import publish_directory, verify_directory
from records.manifest import sha256_of
from tests.labeling.factories import make_policy, make_project, make_user
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", name="Sky", policy=make_policy(name="base"))


def make_trained(project: Project, *, name: str = "judge") -> RewardModel:
    export = Export.objects.create(
        project=project, kind="rankings", state=Export.State.DONE, num_records=1234, manifest_sha256="ab" * 32
    )
    job = TrainingJob.objects.create(
        project=project, kind="reward_model", output_name=name, export=export, policy=project.policy,
        state=TrainingJob.State.DONE,
    )  # fmt: skip
    return RewardModel.objects.create(
        name=name, store_path=f"rewardmodels/{name}", manifest_sha256="0" * 64, export=export, training_job=job,
        metrics={"accuracy": 0.684, "loss": 0.5912345},
    )  # fmt: skip


def test_the_list_shows_what_each_was_made_from(project: Project, erins_browser: Client) -> None:
    make_trained(project)
    content = erins_browser.get(reverse("models")).content.decode()
    assert "1,234 rankings" in content
    assert "0.684" in content
    assert reverse("rounds", args=("sky",)) in content


def test_a_model_shows_the_whole_way_back_and_forward(project: Project, erins_browser: Client) -> None:
    judge = make_trained(project)
    content = erins_browser.get(reverse("model", args=(judge.id,))).content.decode()
    assert judge.export is not None
    assert reverse("export", args=("sky", judge.export.id)) in content
    assert "abababababab…" in content
    assert "0.591" in content
    base = Policy.objects.get(name="base")
    assert reverse("model", args=(base.id,)) in content
    assert "What was made of it" in erins_browser.get(reverse("model", args=(base.id,))).content.decode()


def test_an_export_of_a_project_one_does_not_work_in_is_no_link(project: Project) -> None:
    judge = make_trained(project)
    stranger = as_user(make_user(role=User.Role.ENGINEER))
    content = stranger.get(reverse("model", args=(judge.id,))).content.decode()
    assert judge.export is not None
    assert "1,234 rankings" in content
    assert str(judge.export.id) not in content


def publish(store: Path, model: RewardModel) -> Path:
    staging = store / "staging"
    staging.mkdir()
    (staging / "card.md").write_text("# Reward model\n\n## Read this first\n\n- Few rankings.\n")
    (staging / "model.safetensors").write_bytes(bytes(range(256)) * 5)
    publish_directory(staging, store / model.store_path)
    return store / model.store_path


def test_a_model_shows_how_it_was_made(project: Project, erins_browser: Client, store: Path) -> None:
    judge = make_trained(project)
    publish(store, judge)
    TrainingJob.objects.update(options={"batch_size": 16, "lora": True})
    content = erins_browser.get(reverse("model", args=(judge.id,))).content.decode()
    assert reverse("training_job", args=("sky", judge.training_job_id)) in content
    assert "batch_size" in content
    assert "Few rankings." in content
    assert "As trainers ranked them" in content
    assert reverse("download_model", args=(judge.id,)) in content


def test_a_download_is_an_archive_of_what_was_published_and_is_logged(
    project: Project, erins_browser: Client, store: Path
) -> None:
    judge = make_trained(project)
    directory = publish(store, judge)
    answer = erins_browser.get(reverse("download_model", args=(judge.id,)))
    sent = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    assert len(sent) == int(answer.headers["Content-Length"])
    assert answer.headers["Content-Disposition"] == 'attachment; filename="judge.tar"'
    with tarfile.open(fileobj=io.BytesIO(sent)) as archive:
        assert archive.getnames() == ["judge/card.md", "judge/model.safetensors", "judge/manifest.json"]
        archive.extractall(store / "taken", filter="data")
    verify_directory(store / "taken" / "judge", expected_sha256=sha256_of(directory / "manifest.json"))
    event = AuditEvent.objects.get(verb="download model")
    assert (str(event.by), event.subject_id) == ("Erin", str(judge.id))
    (directory / "model.safetensors").write_bytes(b"cut")
    assert erins_browser.get(reverse("download_model", args=(judge.id,))).status_code == 404
    assert AuditEvent.objects.filter(verb="download model").count() == 1, "nothing was sent"


def test_an_archive_that_breaks_off_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"short")
    pieces = tar_pieces([TarMember(name="m/weights", path=tmp_path / "weights", size=6)])
    with pytest.raises(OSError, match="5 of 6 bytes are there"):
        list(pieces)


def test_only_engineers_of_its_project_take_a_model_away(project: Project, store: Path) -> None:
    judge = make_trained(project)
    publish(store, judge)
    address = reverse("download_model", args=(judge.id,))
    assert as_user(make_user(projects=[project])).get(address).status_code == 403
    stranger = as_user(make_user(role=User.Role.ENGINEER))
    assert stranger.get(address).status_code == 404
    page = stranger.get(reverse("model", args=(judge.id,))).content.decode()
    assert address not in page
    assert "Few rankings." not in page
    assert reverse("training_job", args=("sky", judge.training_job_id)) not in page
    assert not AuditEvent.objects.filter(verb="download model").exists()


def test_two_models_stand_side_by_side_with_their_differences_marked(project: Project, erins_browser: Client) -> None:
    first, second = make_trained(project), make_trained(project, name="second")
    TrainingJob.objects.filter(id=first.training_job_id).update(options={"lr": 0.1, "epochs": 1})
    TrainingJob.objects.filter(id=second.training_job_id).update(options={"lr": 0.2, "epochs": 1, "probe": True})
    first.refresh_from_db()
    second.refresh_from_db()
    lines = {line.name: (line.left, line.right, line.differs) for line in option_lines(first, second)}
    assert lines["lr"] == (0.1, 0.2, True)
    assert lines["epochs"] == (1, 1, False)
    assert lines["probe"] == (None, True, True)
    assert lines["started from"] == ("base", "base", False)
    RewardModel.objects.filter(id=second.id).update(metrics={"accuracy": 0.7})
    address = reverse("compare_models", args=(first.id,))
    content = erins_browser.get(address, {"with": second.id}).content.decode()
    assert "Held-out data" in content
    assert "0.684" in content
    assert content.count("≠</td>") == 5, "export, lr, probe, accuracy, loss"
    for wrong in (Policy.objects.get(name="base").id, "nonsense", uuid.uuid4()):
        assert erins_browser.get(address, {"with": wrong}).status_code == 404


def test_trainers_do_not_see_it_and_what_is_not_there_is_missing(project: Project, erins_browser: Client) -> None:
    assert as_user(make_user(projects=[project])).get(reverse("models")).status_code == 403
    assert erins_browser.get(reverse("model", args=("00000000-0000-4000-8000-000000000000",))).status_code == 404


def test_queries_do_not_grow_with_the_models(
    project: Project, erins_browser: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        make_trained(project, name=f"judge-{number}")
        make_policy()
    with django_assert_max_num_queries(12):
        assert erins_browser.get(reverse("models")).status_code == 200
