"""The manifests of deploy/kubernetes: they fit the schemas, and start what supervisord.conf and Compose start."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests import compose
from tests.test_deployment_files import DIFFERS, SERVICES, programs

FOLDER = Path(__file__).resolve().parents[1] / "deploy" / "kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))
MANIFESTS: list[dict[str, Any]] = [one for file in FILES for one in yaml.safe_load_all(file.read_text())]
PODS = {one["metadata"]["name"]: one for one in MANIFESTS if one["kind"] in {"Deployment", "StatefulSet", "Job"}}
SCHEMAS = ("1.32", "1.37")  # of the oldest cluster that we speak of, and the newest of the package


def container_of(name: str) -> dict[str, Any]:
    (found,) = PODS[name]["spec"]["template"]["spec"]["containers"]
    return dict(found)


@pytest.mark.parametrize("version", SCHEMAS)
def test_every_manifest_fits_the_schema(version: str) -> None:
    assert len(MANIFESTS) > 20
    for manifest in MANIFESTS:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_each_program_is_a_deployment_with_the_same_command_line() -> None:
    started = {name: " ".join(container_of(name)["command"]) for name in programs()}
    assert DIFFERS["PYTHON"] == "python"
    assert started == programs()


def test_the_jobs_run_what_compose_runs_once() -> None:
    for name in ("migrate", "bundled-model"):
        assert PODS[name]["kind"] == "Job"
        assert container_of(name)["command"] == SERVICES[name]["command"]


def test_the_broker_gives_the_model_side_what_it_has_in_compose() -> None:
    names = {"brokersecret": "$(REDIS_PASSWORD)", "modelsecret": "$(REDIS_MODEL_PASSWORD)"}
    wanted = compose.read("docker-compose.yml")["services"]["redis"]["command"]
    for value, name in names.items():
        wanted = [word.replace(value, name) for word in wanted]
    assert container_of("redis")["command"] == wanted


def test_every_pod_is_closed() -> None:
    for name, manifest in PODS.items():
        pod, container = manifest["spec"]["template"]["spec"], container_of(name)
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        closed = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        assert container["securityContext"] == closed, name
        assert container["resources"]["limits"]["memory"], name
        assert container["resources"]["requests"]["memory"], name


def test_every_lasting_pod_is_watched_and_pages_by_the_addresses_for_it() -> None:
    lasting = PODS.keys() - {"migrate", "bundled-model"}
    assert len(lasting) == len(programs()) + 1
    for name in lasting:
        assert "livenessProbe" in container_of(name), name
    web = container_of("web")
    assert web["livenessProbe"]["httpGet"]["path"] == "/health/live/"
    assert web["readinessProbe"]["httpGet"]["path"] == "/health/ready/"


def test_the_model_side_is_told_of_no_database_and_reaches_none() -> None:
    for name in ("sample-worker", "train-worker", "bundled-model"):
        assert container_of(name)["envFrom"] == [{"secretRef": {"name": "parley-model"}}]
        assert "env" not in container_of(name)
    (secret,) = (one for one in MANIFESTS if one["metadata"]["name"] == "parley-model")
    assert set(secret["stringData"]) == {"REDIS_URL"}
    policies = {one["metadata"]["name"]: one["spec"] for one in MANIFESTS if one["kind"] == "NetworkPolicy"}
    assert policies["nobody"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    (rule,) = policies["model-side"]["egress"]
    assert rule["to"] == [{"podSelector": {"matchLabels": {"app": "redis"}}}]


def test_every_secret_and_map_that_is_named_is_there_and_holds_no_secret_of_anybodys() -> None:
    there = {one["metadata"]["name"] for one in MANIFESTS if one["kind"] in {"Secret", "ConfigMap"}}
    for name in PODS:
        for source in container_of(name).get("envFrom", []):
            assert next(iter(source.values()))["name"] in there, name
    secrets = [one["stringData"] for one in MANIFESTS if one["kind"] == "Secret"]
    assert len(secrets) == 3
    assert all("change-me" in value for secret in secrets for value in secret.values())


def test_the_page_on_operating_names_every_file() -> None:
    page = (FOLDER.parents[1] / "docs" / "operating.md").read_text()
    named = set(re.findall(r"`(\w+\.yaml)`", page))
    assert named == {file.name for file in FILES}
