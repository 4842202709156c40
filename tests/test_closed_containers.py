"""Containers are closed: no right of root's, nowhere to write but where it is named, bounded memory, exact versions."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests import compose

CHECKOUT = Path(__file__).resolve().parents[1]
GIVEN = {"PARLEY_SITE": "parley.example.org", "PARLEY_ARCHIVE": "/mnt/archive"}
FILES = ("docker-compose.yml", "docker-compose.proxy.yml", "docker-compose.archive.yml")
# What the programs of others need to begin as root and become somebody else, and to listen at a low port.
KEPT = {
    "postgres": {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"},
    "redis": {"CHOWN", "DAC_OVERRIDE", "SETGID", "SETUID"},
    "proxy": {"NET_BIND_SERVICE"},
}
# Services of docker-compose.yml that another file only adds to.
ADDED_TO = {("docker-compose.proxy.yml", "web"), ("docker-compose.archive.yml", "postgres")}
SERVICES: list[tuple[str, dict[str, Any]]] = [
    (name, service)
    for file in FILES
    for name, service in compose.read(file, **GIVEN)["services"].items()
    if (file, name) not in ADDED_TO
]


@pytest.mark.parametrize(("name", "service"), SERVICES, ids=[name for name, _ in SERVICES])
def test_a_container_is_closed(name: str, service: dict[str, Any]) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert set(service.get("cap_add", [])) == KEPT.get(name, set())
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])


def test_every_limit_of_memory_can_be_changed() -> None:
    text = "".join((CHECKOUT / file).read_text() for file in FILES)
    limits = re.findall(r"mem_limit: (.*)", text)
    assert len(limits) == 6
    assert all(re.fullmatch(r"\$\{PARLEY_\w+_MEMORY:-\d+[mg]\}", limit) for limit in limits)


def test_what_bodies_may_take_of_the_temporary_folder_fits_into_the_memory_of_the_container() -> None:
    """/tmp is memory here."""
    web = compose.read("docker-compose.yml")["services"]["web"]
    assert web["mem_limit"] == "2g"
    assert int(web["environment"]["PARLEY_BODIES_ON_DISK_MB"]) <= 512
    assert any(place.startswith("/tmp:") for place in web["tmpfs"])


def test_images_of_others_are_of_an_exact_version() -> None:
    images = {service["image"] for _, service in SERVICES} - {"parley-web", "parley-model"}
    assert len(images) == 3
    assert all(re.search(r":\d+\.\d+\.\d+", image) for image in images)


def test_the_broker_asks_for_a_password_and_each_side_has_its_own() -> None:
    services = compose.read("docker-compose.yml")["services"]
    command = services["redis"]["command"]
    assert command[command.index("--requirepass") + 1] == "brokersecret"
    web, model = {services["web"]["environment"]["REDIS_URL"]}, {services["sample-worker"]["environment"]["REDIS_URL"]}
    assert web == {"redis://:brokersecret@redis:6379/0"}
    assert model == {"redis://model:modelsecret@redis:6379/0"}
    assert services["train-worker"]["environment"]["REDIS_URL"] in model


def test_behind_the_shipped_proxy_it_alone_is_believed() -> None:
    """Docker gives out addresses of the upper half of `access`: the proxy's can be nobody else's."""
    proxied = compose.read("docker-compose.proxy.yml", **GIVEN)["services"]
    (network,) = compose.read("docker-compose.yml")["networks"]["access"]["ipam"]["config"]
    address = proxied["proxy"]["networks"]["access"]["ipv4_address"]
    assert proxied["web"]["environment"]["FORWARDED_ALLOW_IPS"] == address == "10.231.47.2"
    assert network["ip_range"] == "10.231.47.128/25"
    for name in ("PARLEY_UPLOAD_MB", "PARLEY_FORM_MB"):
        assert proxied["proxy"]["environment"][name] == proxied["web"]["environment"][name]


def test_the_archive_may_replicate_and_reads_the_store_only() -> None:
    read = compose.read("docker-compose.archive.yml", **GIVEN)["services"]
    assert "store:/var/parley/store:ro" in read["archive"]["volumes"]
    assert "/mnt/archive:/archive" in read["archive"]["volumes"]
    assert read["archive"]["networks"] == ["database", "broker"]
    rules = (CHECKOUT / "deploy" / "pg_hba.conf").read_text()
    assert re.search(r"^host +replication +parley +all +scram-sha-256$", rules, re.MULTILINE)
    assert not re.search(r"^host.* trust$", rules, re.MULTILINE)
