"""Tokens of the API on their page: shown once, one's own, gone when revoked."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from labeling.accounts.api_tokens import MOST_ALIVE, TokenError, find_token, make_token, revoke_token
from labeling.models import ApiToken, AuditEvent
from tests.labeling.factories import make_project, make_user
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db
LIFE = timedelta(days=1)


def asked(**values: object) -> dict[str, object]:
    fields = {"name": "nightly export", "scopes": ["read", "write"], "life": 30, "project": "", **values}
    return {f"token-{name}": value for name, value in fields.items()}


def test_a_token_is_shown_once_and_only_its_hash_is_kept() -> None:
    alice = make_user(username="alice")
    answer = as_user(alice).post(reverse("tokens"), asked())
    text = re.search(r'<output class="password">(\S+)</output>', answer.content.decode())[1]
    token = ApiToken.objects.get(owner=alice)
    assert find_token(text) == token
    assert text not in str(ApiToken.objects.values().get())
    assert token.prefix == text[:13]
    assert token.scopes == ["read", "write"]
    assert text not in as_user(alice).get(reverse("tokens")).content.decode()
    assert AuditEvent.objects.filter(verb="make token", by=alice, subject_id=str(token.id)).exists()


@pytest.mark.parametrize("wrong", [{"name": ""}, {"scopes": []}, {"scopes": ["everything"]}, {"life": 4000}])
def test_a_token_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    assert as_user(make_user()).post(reverse("tokens"), asked(**wrong)).status_code == 422
    assert not ApiToken.objects.exists()


def test_a_token_can_only_be_bound_to_a_project_of_its_owner() -> None:
    theirs, ours = make_project(), make_project()
    alice = make_user(projects=[ours])
    assert as_user(alice).post(reverse("tokens"), asked(project=theirs.pk)).status_code == 422
    assert as_user(alice).post(reverse("tokens"), asked(project=ours.pk)).status_code == 200
    assert ApiToken.objects.get().project == ours


def test_a_revoked_token_opens_nothing_and_others_cannot_revoke_it() -> None:
    alice, bob = make_user(username="alice"), make_user(username="bob")
    token, text = make_token(owner=alice, name="mine", scopes=["read"], life=LIFE)
    assert as_user(bob).post(reverse("revoke_token", args=(token.id,))).status_code == 404
    assert find_token(text) == token
    assert as_user(alice).post(reverse("revoke_token", args=(token.id,))).status_code == 302
    assert find_token(text) is None
    revoke_token(token, by=alice)
    assert AuditEvent.objects.filter(verb="revoke token", by=alice).count() == 1


def test_a_token_ends_with_its_time_and_with_its_owners_account() -> None:
    alice = make_user()
    _token, text = make_token(owner=alice, name="mine", scopes=["read"], life=LIFE)
    assert find_token(text).last_used_at is None
    assert ApiToken.objects.get().last_used_at is not None
    alice.is_active = False
    alice.save()
    assert find_token(text) is None
    alice.is_active = True
    alice.save()
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert find_token(text) is None


def test_nobody_heaps_up_tokens() -> None:
    alice = make_user()
    for _ in range(MOST_ALIVE):
        make_token(owner=alice, name="one more", scopes=["read"], life=LIFE)
    with pytest.raises(TokenError, match="revoke one first"):
        make_token(owner=alice, name="too many", scopes=["read"], life=LIFE)
    ended = ApiToken.objects.filter(id=ApiToken.objects.latest("created_at").id)
    ended.update(expires_at=timezone.now() - timedelta(seconds=1))
    make_token(owner=alice, name="in place of one that has ended", scopes=["read"], life=LIFE)


@pytest.mark.parametrize(
    ("scopes", "life"),
    [([], LIFE), (["read", "everything"], LIFE), (["read"], timedelta(0)), (["read"], timedelta(days=367))],
)
def test_a_program_cannot_make_what_the_page_refuses(scopes: list[str], life: timedelta) -> None:
    with pytest.raises(TokenError):
        make_token(owner=make_user(), name="mine", scopes=scopes, life=life)


def test_the_page_asks_as_much_of_the_database_with_many_tokens(django_assert_max_num_queries) -> None:
    alice = make_user()
    client = as_user(alice)
    for _ in range(20):
        make_token(owner=alice, name="one", scopes=["read"], life=LIFE, project=make_project())
    with django_assert_max_num_queries(9):
        assert client.get(reverse("tokens")).status_code == 200
