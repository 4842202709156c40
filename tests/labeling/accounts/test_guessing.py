"""The brake on guessing passwords and codes: it holds who guesses, and not the person whose name is guessed at."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from labeling.accounts import devices, guessing
from labeling.accounts.guessing import SignInRefused
from labeling.models import AuditEvent, SignInFailures, User
from tests.labeling.factories import PASSWORD, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_passwords")]

HERE, ELSEWHERE = "192.0.2.7", "198.51.100.1"


@pytest.fixture
def request_() -> HttpRequest:
    """Of a browser that nobody has signed in with."""
    return RequestFactory().post("/sign-in/")


def from_known_device(*names: str) -> HttpRequest:
    """A request of a browser that people of these names have signed in with."""
    known = RequestFactory().post("/sign-in/")
    for name in names:
        devices.know_device(known, name=name)
        answer = devices.with_cookie(known, HttpResponse())
        known.COOKIES["device"] = answer.cookies["device"].value
    return known


def knock(request: HttpRequest, *, username: str = "alice", address: str = HERE, **values: str) -> User:
    """The right password."""
    return guessing.check_password(request, username=username, password=PASSWORD, address=address, **values)


def fail(request: HttpRequest, *, username: str = "alice", address: str = HERE, **values: str) -> SignInRefused:
    with pytest.raises(SignInRefused) as refused:
        guessing.check_password(request, username=username, password="wrong", address=address, **values)
    return refused.value


def code_of(secret: str, *, steps: int = 0) -> str:
    """The code that an app with this secret shows, `steps` half minutes from now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps))


@pytest.fixture
def alice() -> User:
    return make_user(username="alice", password=PASSWORD)


@pytest.mark.parametrize("name", ["alice", "Alice", " alice ", "ａｌｉｃｅ"])
def test_the_right_password_opens_the_door(request_: HttpRequest, alice: User, name: str) -> None:
    assert knock(request_, username=name) == alice


def test_a_closed_account_does_not_open(request_: HttpRequest) -> None:
    make_user(username="alice", password=PASSWORD, is_active=False)
    with pytest.raises(SignInRefused):
        knock(request_)


def test_after_five_failures_on_a_name_even_the_right_password_waits(request_: HttpRequest, alice: User) -> None:
    for number in range(guessing.FAILURES_PER_NAME):
        assert fail(request_, username=("alice", "ALICE")[number % 2]).retry_after is None
    with pytest.raises(SignInRefused, match="15 minutes") as refused:
        knock(request_)
    assert refused.value.retry_after is not None
    SignInFailures.objects.update(window_ends_at=timezone.now() - timedelta(seconds=1))
    fail(request_)
    failures = SignInFailures.objects.get(key=f"name:alice@{HERE}")
    assert (failures.num_failures, failures.window_ends_at > timezone.now()) == (1, True)
    knock(request_)


def test_who_guesses_at_a_name_does_not_shut_its_person_out(request_: HttpRequest, alice: User) -> None:
    for _ in range(guessing.FAILURES_PER_NAME + 1):
        fail(request_)
    assert knock(request_, address=ELSEWHERE) == alice, "from another network"
    assert knock(from_known_device("alice")) == alice, "from a device that she signed in with, and the same network"


def test_guesses_from_a_thousand_networks_end_too_and_leave_known_devices_alone(
    request_: HttpRequest, alice: User
) -> None:
    for number in range(guessing.FAILURES_PER_NAME_EVERYWHERE):
        assert fail(request_, address=f"10.1.{number}.1").retry_after is None
    assert fail(request_, address=ELSEWHERE).retry_after is not None
    assert knock(from_known_device("alice"), address=ELSEWHERE) == alice


def test_a_known_device_is_counted_for_itself_and_only_under_its_names(alice: User) -> None:
    make_user(username="bob", password=PASSWORD)
    ours = from_known_device("bob", "alice")
    for _ in range(guessing.FAILURES_PER_DEVICE):
        assert fail(ours).retry_after is None
    assert fail(ours).retry_after is not None, "a device that was stolen does not guess for ever"
    knock(ours, username="bob")
    bobs = from_known_device("bob")
    for _ in range(guessing.FAILURES_PER_NAME):
        assert fail(bobs).retry_after is None
    assert fail(bobs).retry_after is not None, "at Alice's password, Bob's device is a stranger's"


def test_a_cookie_that_somebody_made_up_knows_no_device(request_: HttpRequest, alice: User) -> None:
    real = from_known_device("alice").COOKIES["device"]
    for cookie in ("", "x", real[:-2] + "xx", real.partition(":")[0]):
        request_.COOKIES["device"] = cookie
        assert devices.device_of(request_, name="alice") is None
    assert "alice" not in real


def test_a_code_beside_the_password_lets_through_whoever_guesses_at_the_name(
    request_: HttpRequest, alice: User
) -> None:
    secret = generate_totp_secret()
    TOTP.activate(alice, secret)
    for _ in range(guessing.FAILURES_PER_NAME + 1):
        fail(request_)
    right = code_of(secret)
    assert fail(request_, code=right).retry_after is None, "the password is wrong"
    assert knock(request_, code=right) == alice
    with pytest.raises(SignInRefused, match="do not belong together"):
        knock(request_, code=right)  # once is enough


def test_without_a_second_factor_the_codes_field_is_no_second_door(request_: HttpRequest, alice: User) -> None:
    for _ in range(guessing.FAILURES_PER_NAME + 1):
        fail(request_)
    with pytest.raises(SignInRefused, match="do not belong together"):
        knock(request_, code="123456")


def test_codes_are_guessed_ten_times_and_by_nobody_who_lacks_the_password(request_: HttpRequest, alice: User) -> None:
    secret = generate_totp_secret()
    TOTP.activate(alice, secret)
    for _ in range(guessing.WRONG_CODES + 1):
        fail(request_, code="000000")
    assert guessing.check_code(alice, code_of(secret)) == "app", "wrong passwords used no code up"
    for _ in range(guessing.WRONG_CODES):
        with pytest.raises(SignInRefused) as refused:
            guessing.check_code(alice, "nothing")
        assert refused.value.retry_after is None
    with pytest.raises(SignInRefused) as refused:
        guessing.check_code(alice, code_of(secret, steps=1))
    assert refused.value.retry_after is not None


def test_attempts_while_the_door_is_shut_do_not_keep_it_shut(request_: HttpRequest) -> None:
    for _ in range(guessing.FAILURES_PER_NAME):
        fail(request_)
    until = SignInFailures.objects.get(key=f"name:alice@{HERE}").window_ends_at
    everywhere = SignInFailures.objects.get(key="name:alice").num_failures
    for _ in range(5):
        assert fail(request_).retry_after is not None
    assert SignInFailures.objects.get(key=f"name:alice@{HERE}").window_ends_at == until
    assert SignInFailures.objects.get(key="name:alice").num_failures == everywhere


def test_one_address_cannot_try_many_names(request_: HttpRequest) -> None:
    for number in range(guessing.FAILURES_PER_ADDRESS):
        fail(request_, username=f"name-{number}", address=f"2001:db8::{number:x}")  # one /64, many addresses
    assert fail(request_, username="another", address="2001:db8::ffff").retry_after is not None
    assert fail(request_, username="another", address="2001:db8:0:1::1").retry_after is None


@pytest.mark.parametrize(
    "said",
    [
        {"BEHIND_PROXY": True, "FORWARDED_ALLOW_IPS": ""},  # nobody's word is believed: all have the proxy's address
        {"BEHIND_PROXY": True, "FORWARDED_ALLOW_IPS": f"10.0.0.1, {HERE}"},  # the proxy itself, which named no client
        {"SHARED_ADDRESSES": ["192.0.2.0/24"]},  # an office
    ],
)
def test_who_shares_an_address_is_not_shut_out_by_twenty_wrong_passwords_of_others(
    request_: HttpRequest, alice: User, settings: Any, said: dict[str, Any]
) -> None:
    for name, value in said.items():
        setattr(settings, name, value)
    for number in range(guessing.FAILURES_PER_ADDRESS + 1):
        fail(request_, username=f"name-{number}")
    assert knock(request_) == alice


def test_a_known_device_is_not_shut_out_with_its_address(request_: HttpRequest, alice: User) -> None:
    for number in range(guessing.FAILURES_PER_ADDRESS):
        fail(request_, username=f"name-{number}")
    with pytest.raises(SignInRefused):
        knock(request_)
    assert knock(from_known_device("alice")) == alice


def test_the_address_of_a_client_is_its_own_where_the_proxy_is_believed(settings: Any) -> None:
    settings.BEHIND_PROXY, settings.FORWARDED_ALLOW_IPS = True, "10.0.0.1"
    assert [guessing.is_shared(one) for one in (HERE, "10.0.0.1", "2001:db8::1", "nowhere")] == [
        False,
        True,
        False,
        True,
    ]


def test_success_forgets_the_failures_of_the_name_but_not_of_the_address(request_: HttpRequest, alice: User) -> None:
    fail(request_)
    knock(request_)
    kept = dict(SignInFailures.objects.values_list("key", "num_failures"))
    assert kept == {f"address:{HERE}": 1, "name:alice": 1}


def test_the_failure_that_fills_a_count_is_noted_once_for_the_person(request_: HttpRequest, alice: User) -> None:
    for _ in range(guessing.FAILURES_PER_NAME + 3):
        fail(request_)
        fail(request_, username="nobody")
    event = AuditEvent.objects.get(verb="slow sign-in down")
    assert (event.subject_id, event.by, event.detail) == (str(alice.pk), None, {"counted_by": ["name"]})


def test_old_failures_are_swept(request_: HttpRequest) -> None:
    fail(request_)
    assert guessing.forget_old_failures() == 0
    SignInFailures.objects.update(window_ends_at=timezone.now() - timedelta(seconds=1))
    assert guessing.forget_old_failures() == 3


@pytest.mark.django_db(transaction=True)
def test_of_many_attempts_at_once_only_as_many_are_tried_as_may_fail() -> None:
    def attempt(_number: int) -> bool:
        try:
            guessing._take_attempt({"name:alice": 5, "address:here": 20})
            return True
        except SignInRefused:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(40))) == 5
    assert dict(SignInFailures.objects.values_list("key", "num_failures")) == {"name:alice": 5, "address:here": 5}


def test_a_name_of_any_length_and_shape_is_only_wrong(request_: HttpRequest) -> None:
    for name in ("x" * 10_000, "a\u0000b", "💥", "'; DROP TABLE"):
        assert "do not belong together" in str(fail(request_, username=name, address="not an address"))
