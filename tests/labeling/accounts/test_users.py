"""Accounts: made, changed, closed, and their passwords."""

import re
from datetime import timedelta
from typing import Any

import pytest

from labeling.accounts import users
from labeling.accounts.api_tokens import TokenError, find_token, make_token, revoke_token
from labeling.accounts.users import AccountError
from labeling.models import ApiToken, AuditEvent, User
from tests.labeling.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quick_hashes(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def make_token_of(owner: User) -> tuple[ApiToken, str]:
    return make_token(owner=owner, name="nightly export", scopes=["read"], life=timedelta(days=1))


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
