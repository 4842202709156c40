"""Settings as a process meets them: what production refuses, and what a bare clone makes up."""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from labeling import environment
from labeling.environment import development_secret_key

CHECKOUT = Path(__file__).resolve().parents[2]
KEY = secrets.token_urlsafe(64)
PRODUCTION = {
    "PARLEY_ENV": "production",
    "PARLEY_SECRET_KEY": KEY,
    "PARLEY_ALLOWED_HOSTS": "parley.example.org",
    "DATABASE_URL": "postgresql://parley:secret@db.example.org/parley",
    "REDIS_URL": "redis://broker.example.org/0",
}


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """manage.py in an environment that has nothing of Parley but `variables`."""
    ours = ("PARLEY_", "FORWARDED_ALLOW_IPS", "DATABASE_URL", "REDIS_URL", "DJANGO_")
    bare = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=CHECKOUT, env=bare | variables, capture_output=True, text=True, check=False, timeout=120
    )


def test_production_with_its_own_values_passes_every_deployment_check() -> None:
    done = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION, PARLEY_MAIL_HOST="mail.example.org")
    assert done.returncode == 0, done.stderr
    assert "no issues (2 silenced)" in done.stdout  # whether a whole domain is bound to HTTPS is not ours to say


@pytest.mark.parametrize(("variables", "bound"), [({}, "False False"), ({"PARLEY_HSTS_SUBDOMAINS": "1"}, "True False")])
def test_only_our_host_is_bound_to_https_unless_more_is_asked_for(variables: dict[str, str], bound: str) -> None:
    told = "from django.conf import settings as s; print(s.SECURE_HSTS_INCLUDE_SUBDOMAINS, s.SECURE_HSTS_PRELOAD)"
    done = manage("shell", "--no-imports", "-c", told, **PRODUCTION | variables)
    assert done.stdout.strip() == bound, done.stderr


@pytest.mark.parametrize("proxies", ["192.0.2.1", "192.0.2.1, 2001:db8::1", "192.0.2.0/28"])
def test_a_production_that_names_its_proxy_passes_too(proxies: str) -> None:
    variables = {"PARLEY_BEHIND_PROXY": "1", "FORWARDED_ALLOW_IPS": proxies}
    done = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION | variables)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("missing", [name for name in PRODUCTION if name != "PARLEY_ENV"])
def test_production_refuses_to_start_without(missing: str) -> None:
    done = manage("check", **PRODUCTION | {missing: ""})
    assert done.returncode != 0
    assert missing in done.stderr
    assert "Traceback" not in done.stderr


def test_production_refuses_a_short_secret_key() -> None:
    done = manage("check", **PRODUCTION | {"PARLEY_SECRET_KEY": "x" * 49})
    assert done.returncode != 0
    assert "50" in done.stderr


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"PARLEY_DEBUG": "1"}, "parley.E001"),
        ({"PARLEY_LOCK_TIMEOUT_SECONDS": "20", "PARLEY_STATEMENT_TIMEOUT_SECONDS": "10"}, "parley.E002"),
        ({"PARLEY_UPLOAD_MB": "20", "PARLEY_BODIES_ON_DISK_MB": "10"}, "parley.E005"),
        ({"PARLEY_ALLOWED_HOSTS": "*"}, "parley.W002"),
        ({"PARLEY_ENV": "development"}, "parley.W001"),
        ({"PARLEY_BEHIND_PROXY": "1"}, "parley.W003"),
        ({"FORWARDED_ALLOW_IPS": "192.0.2.1"}, "parley.W004"),
        ({"PARLEY_OIDC_ISSUER": "http://id.example", "PARLEY_OIDC_NEW_PEOPLE": "anyone"}, "parley.W011"),
        ({"PARLEY_OIDC_ISSUER": "https://id.example", "PARLEY_OIDC_NEW_PEOPLE": "anyone"}, "parley.W012"),
        ({"PARLEY_OIDC_ISSUER": "https://id.example"}, "parley.E011"),
        ({"PARLEY_SHARED_ADDRESSES": "everywhere"}, "parley.E012"),
        *(
            ({"PARLEY_BEHIND_PROXY": "1", "FORWARDED_ALLOW_IPS": wrong}, "parley.E004")
            for wrong in ("*", "192.0.2.1,::/0", "proxy.example.org", "192.0.2.1 192.0.2.2")
        ),
    ],
)
def test_a_contradiction_is_reported_with_its_id_and_a_hint(variables: dict[str, str], expected: str) -> None:
    done = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION | variables)
    assert done.returncode != 0
    assert expected in done.stderr
    assert "HINT" in done.stderr


def test_the_development_key_is_made_once_and_is_ours_alone(tmp_path: Path) -> None:
    key = development_secret_key(tmp_path / "var")
    assert len(key) >= 50
    assert development_secret_key(tmp_path / "var") == key
    assert development_secret_key(tmp_path / "other") != key
    assert ((tmp_path / "var" / "secret_key").stat().st_mode & 0o777) == 0o600
    assert list((tmp_path / "var").iterdir()) == [tmp_path / "var" / "secret_key"]


def test_a_wrong_value_names_its_variable() -> None:
    done = manage("check", PARLEY_STATEMENT_TIMEOUT_SECONDS="soon")
    assert done.returncode != 0
    assert "PARLEY_STATEMENT_TIMEOUT_SECONDS='soon': must be a whole number" in done.stderr


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        (lambda: environment.flag("PARLEY_TESTED", default=True), "maybe"),
        (lambda: environment.integer("PARLEY_TESTED", default=1, low=1, high=9), "10"),
        (lambda: environment.integer("PARLEY_TESTED", default=1), "1.5"),
        (lambda: environment.choice("PARLEY_TESTED", default="a", choices=("a", "b")), "c"),
        (lambda: environment.names("PARLEY_TESTED", choices=("a", "b")), "c"),
    ],
)
def test_a_reader_refuses_what_it_cannot_read(reader: object, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_TESTED", value)
    with pytest.raises(ImproperlyConfigured, match=f"PARLEY_TESTED='?{value}"):
        reader()  # type: ignore[operator]


@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_unset_or_empty_variable_gives_the_default(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if value is not None:
        monkeypatch.setenv("PARLEY_TESTED", value)
    assert environment.flag("PARLEY_TESTED", default=True) is True
    assert environment.integer("PARLEY_TESTED", default=7) == 7
    assert environment.names("PARLEY_TESTED", default=("a",)) == ["a"]
    assert environment.path("PARLEY_TESTED", default=Path("var")) == CHECKOUT / "var"


def test_it_reads_a_database_url() -> None:
    found = environment.database("postgresql://p%40y:s%2Fcret@db:5433/parley?sslmode=require")
    assert (found["USER"], found["PASSWORD"], found["HOST"], found["PORT"]) == ("p@y", "s/cret", "db", "5433")
    assert (found["NAME"], found["OPTIONS"]) == ("parley", {"sslmode": "require"})
    assert environment.database("postgresql://parley@/parley?host=/tmp/x/pg")["HOST"] == "/tmp/x/pg"


@pytest.mark.parametrize("url", ["sqlite:///db", "mysql://a@b/c", "postgresql://parley@db"])
def test_it_refuses_a_database_that_it_cannot_use(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL"):
        environment.database(url)


def test_every_variable_that_is_read_is_on_the_page_of_settings_and_no_other() -> None:
    read = set()
    for package in ("labeling", "sampler", "training", "rewardmodel", "policy", "language", "records", "parley"):
        for path in (CHECKOUT / package).rglob("*.py"):
            names = r"[\"'](PARLEY_[A-Z_]+|DATABASE_URL|REDIS_URL|FORWARDED_ALLOW_IPS|OTEL_EXPORTER_OTLP_ENDPOINT)[\"']"
            read |= set(re.findall(names, path.read_text()))
    for path in CHECKOUT.glob("docker-compose*.yml"):
        read |= set(re.findall(r"\$\{(\w+)", path.read_text()))
    page = (CHECKOUT / "docs" / "settings.md").read_text().split("## Tests")[0]
    described = set(re.findall(r"^\| `(\w+)…?` \|", page, re.MULTILINE))
    between_our_own_processes = re.compile(r"PARLEY_(RUN_\w+|PROGRESS_FILE|STATUS_FILE|LAUNCHED_BY|DEMO_STORE)")
    assert {name for name in read if not between_our_own_processes.fullmatch(name)} == described


@pytest.mark.django_db
def test_every_connection_gives_up_rather_than_hang() -> None:
    from django.db import connection

    wanted = {"statement_timeout": "15s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "30s"}
    with connection.cursor() as cursor:
        for name, value in wanted.items():
            cursor.execute(f"SHOW {name}")
            assert cursor.fetchone() == (value,), name
