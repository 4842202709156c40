"""Accounts and the brake on guessing passwords."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest
from django.test import RequestFactory
from django.utils import timezone

from labeling.accounts import users
from labeling.accounts.api_tokens import TokenError, find_token, make_token, revoke_token
from labeling.accounts.users import AccountError, SignInRefused
from labeling.models import ApiToken, AuditEvent, SignInFailures, User
from tests.labeling.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quick_hashes(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def request_() -> HttpRequest:
    return RequestFactory().post("/sign-in/")


def make_token_of(owner: User) -> tuple[ApiToken, str]:
    return make_token(owner=owner, name="nightly export", scopes=["read"], life=timedelta(days=1))


def fail(request: HttpRequest, *, username: str = "alice", address: str = "192.0.2.7") -> SignInRefused:
    with pytest.raises(SignInRefused) as refused:
        users.check_password(request, username=username, password="wrong", address=address)
    return refused.value


def test_the_first_accounts_are_made_once_one_of_each_role() -> None:
    made = users.ensure_first_accounts()
    assert [name for name, _password in made] == ["admin", "trainer", "reviewer", "engineer"]
    assert set(User.objects.values_list("role", flat=True)) == set(dict(User.Role.of_members()))
    assert len({password for _name, password in made}) == 4
    for name, password in made:
        assert User.objects.get(username=name).check_password(password)
    assert users.ensure_first_accounts() == []


def test_where_there_are_people_no_account_is_made() -> None:
    make_user()
    assert users.ensure_first_accounts() == []
    assert User.objects.count() == 1


def test_a_simulated_trainer_is_no_person_who_could_sign_in() -> None:
    make_user(username="simulated", is_simulated=True)
    assert len(users.ensure_first_accounts()) == 4


def test_a_generated_password_can_be_typed_and_not_be_guessed() -> None:
    passwords = {users.new_password() for _ in range(200)}
    assert len(passwords) == 200
    assert all(re.fullmatch(r"([a-hjkmnp-z2-9]{4}-){3}[a-hjkmnp-z2-9]{4}", password) for password in passwords)


def test_a_new_account_is_noted() -> None:
    adam = make_user(username="adam")
    user, password = users.create_account(username="Zoë", role="trainer", by=adam)
    assert user.check_password(password)
    assert AuditEvent.objects.filter(verb="create account", by=adam, subject_id=user.id).exists()


@pytest.mark.parametrize("name", ["", "x" * 81, "two words", "a\u200bb", "t\tab", "a\x00"])
def test_an_unusable_name_is_refused(name: str) -> None:
    with pytest.raises(AccountError):
        users.create_account(username=name, role="trainer", by=None)


@pytest.mark.parametrize("name", ["alice", "ALICE", "ａｌｉｃｅ"])
def test_a_name_that_looks_the_same_is_taken(name: str) -> None:
    users.create_account(username="alice", role="trainer", by=None)
    with pytest.raises(AccountError, match="taken"):
        users.create_account(username=name, role="trainer", by=None)
    assert User.objects.count() == 1


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(AccountError, match="not a role"):
        users.create_account(username="alice", role="root", by=None)


def test_the_last_admin_stays_one() -> None:
    adam, eve = make_user(username="adam"), make_user(username="eve", role=User.Role.ADMIN)
    users.change_role(eve, role="trainer", by=adam)
    event = AuditEvent.objects.get(verb="change role", by=adam, subject_id=str(eve.id))
    assert event.detail == {"before": "admin", "after": "trainer"}
    with pytest.raises(AccountError, match="last admin"):
        users.change_role(adam, role="trainer", by=adam)
    with pytest.raises(AccountError, match="last admin"):
        users.set_active(adam, active=False, by=adam)
    users.change_role(eve, role="admin", by=adam)
    users.set_active(adam, active=False, by=eve)
    with pytest.raises(AccountError, match="last admin"):  # a closed account is no admin
        users.change_role(eve, role="trainer", by=eve)


def test_a_reset_password_replaces_the_old_one() -> None:
    alice = make_user(username="alice", password=PASSWORD)
    password, _num_revoked = users.reset_password(alice, by=make_user(username="adam"))
    alice.refresh_from_db()
    assert alice.check_password(password)
    assert not alice.check_password(PASSWORD)


def test_a_new_password_and_a_closing_take_all_live_tokens_of_that_person_and_no_other() -> None:
    adam, alice, bob = (make_user(username=name, role=User.Role.ADMIN) for name in ("adam", "alice", "bob"))
    revoke_token(make_token_of(alice)[0], by=alice)
    others = make_token_of(bob)[1]
    for end in (
        lambda: users.change_own_password(alice, password="a much longer phrase"),
        lambda: users.reset_password(alice, by=adam)[1],
        lambda: users.set_active(alice, active=False, by=adam),
    ):
        known = set(AuditEvent.objects.values_list("id", flat=True))
        texts = [make_token_of(alice)[1] for _ in range(2)]
        assert end() == 2
        assert not any(map(find_token, texts))
        event = AuditEvent.objects.exclude(id__in=known).get(verb="revoke all tokens")
        assert (event.subject_id, event.detail) == (str(alice.id), {"num_tokens": 2})
        assert event.by in (alice, adam)
        assert users.set_active(alice, active=True, by=adam) == 0
        assert not any(map(find_token, texts)), "opened again, they came back"
    assert find_token(others)


def test_where_there_was_no_token_the_audit_names_none() -> None:
    alice = make_user(username="alice")
    assert users.change_own_password(alice, password="a much longer phrase") == 0
    assert not AuditEvent.objects.filter(verb="revoke all tokens").exists()


def test_a_page_opened_before_the_reset_makes_no_token_after_it() -> None:
    adam, alice = make_user(username="adam"), make_user(username="alice")
    as_it_was = User.objects.get(id=alice.id)
    users.reset_password(alice, by=adam)
    with pytest.raises(TokenError, match="sign in again"):
        make_token_of(as_it_was)
    as_it_was = User.objects.get(id=alice.id)
    users.set_active(alice, active=False, by=adam)
    with pytest.raises(TokenError, match="sign in again"):
        make_token_of(as_it_was)


@pytest.mark.parametrize("name", ["alice", "Alice", " alice ", "ａｌｉｃｅ"])
def test_the_right_password_opens_the_door(request_: HttpRequest, name: str) -> None:
    alice = make_user(username="alice", password=PASSWORD)
    assert users.check_password(request_, username=name, password=PASSWORD, address="192.0.2.7") == alice


def test_a_closed_account_does_not_open(request_: HttpRequest) -> None:
    make_user(username="alice", password=PASSWORD, is_active=False)
    with pytest.raises(SignInRefused):
        users.check_password(request_, username="alice", password=PASSWORD, address="192.0.2.7")


def test_after_five_failures_on_a_name_even_the_right_password_waits(request_: HttpRequest) -> None:
    make_user(username="alice", password=PASSWORD)
    for number in range(users.FAILURES_PER_NAME):
        assert fail(request_, username=("alice", "ALICE")[number % 2], address=f"192.0.2.{number}").retry_after is None
    with pytest.raises(SignInRefused, match="15 minutes") as refused:
        users.check_password(request_, username="alice", password=PASSWORD, address="198.51.100.1")
    assert refused.value.retry_after is not None
    SignInFailures.objects.update(window_ends_at=timezone.now() - timedelta(seconds=1))
    fail(request_)
    failures = SignInFailures.objects.get(key="name:alice")
    assert (failures.num_failures, failures.window_ends_at > timezone.now()) == (1, True)
    users.check_password(request_, username="alice", password=PASSWORD, address="198.51.100.1")


def test_attempts_while_the_door_is_shut_do_not_keep_it_shut(request_: HttpRequest) -> None:
    for _ in range(users.FAILURES_PER_NAME):
        fail(request_)
    until = SignInFailures.objects.get(key="name:alice").window_ends_at
    for _ in range(5):
        assert fail(request_).retry_after is not None
    assert SignInFailures.objects.get(key="name:alice").window_ends_at == until


def test_one_address_cannot_try_many_names(request_: HttpRequest) -> None:
    for number in range(users.FAILURES_PER_ADDRESS):
        fail(request_, username=f"name-{number}", address=f"2001:db8::{number:x}")  # one /64, many addresses
    assert fail(request_, username="another", address="2001:db8::ffff").retry_after is not None
    assert fail(request_, username="another", address="2001:db8:0:1::1").retry_after is None


def test_success_forgets_the_failures_of_the_name_but_not_of_the_address(request_: HttpRequest) -> None:
    make_user(username="alice", password=PASSWORD)
    fail(request_)
    users.check_password(request_, username="alice", password=PASSWORD, address="192.0.2.7")
    assert list(SignInFailures.objects.values_list("key", flat=True)) == ["address:192.0.2.7"]


def test_old_failures_are_swept(request_: HttpRequest) -> None:
    fail(request_)
    assert users.forget_old_failures() == 0
    SignInFailures.objects.update(window_ends_at=timezone.now() - timedelta(seconds=1))
    assert users.forget_old_failures() == 2


@pytest.mark.django_db(transaction=True)
def test_failures_at_the_same_time_are_all_counted() -> None:
    def count(_number: int) -> None:
        users._count_failure("name:alice")
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(40)))
    assert SignInFailures.objects.get(key="name:alice").num_failures == 40


def test_a_name_of_any_length_and_shape_is_only_wrong(request_: HttpRequest) -> None:
    for name in ("x" * 10_000, "a\u0000b", "💥", "'; DROP TABLE"):
        assert "do not belong together" in str(fail(request_, username=name, address="not an address"))
