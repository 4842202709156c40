"""Two changes of accounts at once: the second waits, and sees what the first has done."""

from datetime import timedelta
from typing import Any

import pytest

from labeling.accounts import snippets, users
from labeling.accounts.api_tokens import TokenError, make_token
from labeling.accounts.users import AccountError
from labeling.models import ApiToken, Snippet, User
from tests.labeling.factories import make_user
from tests.labeling.overlapping import overlap

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick_passwords")]


def test_of_two_admins_who_demote_each_other_at_once_one_stays() -> None:
    first, second = (make_user(role=User.Role.ADMIN) for _ in range(2))
    with pytest.raises(AccountError, match="last admin"):
        overlap(
            lambda: users.change_role(first, role="trainer", by=second),
            lambda: users.change_role(second, role="trainer", by=first),
        )
    assert User.objects.filter(role=User.Role.ADMIN).count() == 1


def test_two_processes_that_start_at_once_make_the_first_accounts_once() -> None:
    assert overlap(users.ensure_first_accounts, users.ensure_first_accounts) == []
    assert User.objects.count() == 4


def test_a_preference_is_not_lost_to_what_another_tab_prefers(alice: User) -> None:
    User.objects.update(preferences={})
    overlap(
        lambda: users.set_preference(User.objects.get(id=alice.id), layout="columns"),
        lambda: users.see_tour(User.objects.get(id=alice.id), name="rank"),
    )
    assert User.objects.get().preferences == {"layout": "columns", "tours": ["rank"]}


def test_two_tabs_do_not_make_more_snippets_than_one_person_may(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snippets, "MOST_SNIPPETS", 1)

    def make() -> Any:
        return snippets.add_snippet(name="Tutor", text="You are patient.", by=alice)

    with pytest.raises(snippets.SnippetError):
        overlap(make, make)
    assert Snippet.objects.count() == 1


def test_no_token_is_made_while_a_password_is_being_reset() -> None:
    adam, alice = make_user(username="adam"), make_user(username="alice")

    def make() -> Any:
        return make_token(owner=User.objects.get(id=alice.id), name="mine", scopes=["read"], life=timedelta(days=1))

    with pytest.raises(TokenError, match="sign in again"):
        overlap(lambda: users.reset_password(alice, by=adam), make)
    assert not ApiToken.objects.exists()
