"""Who may open what around a preview: every address as a visitor, as a stranger, and as those who work here."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern

from labeling.accounts import users
from labeling.accounts.api_tokens import find_token, make_token
from labeling.models import User
from labeling.preview.samples import SampleError, freeze, frozen, make, remove
from labeling.projects.forms import MembershipForm
from tests.labeling.factories import make_policy, make_user
from tests.labeling.preview.material import answer, make_pair, make_preview, make_visitor
from tests.labeling.signed_in import as_user
from tests.labeling.web.full_project import addresses, make_full_project

pytestmark = pytest.mark.django_db

ELSEWHERE = {"sign_in", "live", "ready", "metrics"}  # public, and no business of a preview
# How members come in: open to whoever has not, and nothing there says who has an account.
MEMBERS_DOORS = {
    "second_step", "passkey_sign_in", "passkey_challenge", "forgotten_password", "account_link", "to_provider",
    "leave_provider", "openid_connect_callback",
}  # fmt: skip
DOOR = {"preview_page", "preview_terms", "preview_sign_up", "preview_sign_in", "preview_sent", "preview_open"}
CONTESTS = {"challenges", "challenge", "enter_challenge", "entry", "withdraw_entry", "object_to_results"}


def is_visitors(pattern: URLPattern) -> bool:
    return str(pattern.pattern).startswith("t/")


@pytest.mark.usefixtures("store", "sent", "quick_passwords")
def test_every_address_as_a_visitor_and_as_a_stranger() -> None:
    full = make_full_project()
    visitor, stranger = as_user(full.visitor), Client()
    wrong, num = [], 0
    for pattern in addresses():
        name, url = str(pattern.name), full.address(pattern)
        if name in ELSEWHERE:
            continue
        seen = {
            (who, method): getattr(client, method)(url).status_code
            for who, client in (("visitor", visitor), ("stranger", stranger))
            for method in ("get", "post")
            # What would end the visit itself is walked as the stranger alone.
            if who == "stranger" or name not in ("preview_leave", "delete_mine", "delete_visit", "preview_open")
        }
        if is_visitors(pattern):
            closed = {302, 405} if name not in DOOR else {200, 302, 405, 422, 410, 429}
            fits = {(who, method): {200, 302, 405, 422} if who == "visitor" else closed for who, method in seen}
        elif url.startswith("/api/"):
            fits = dict.fromkeys(seen, {200} if url.endswith("openapi.json") else {401, 404})
        elif name in MEMBERS_DOORS:
            fits = {one: {200, 302, 400, 403, 404, 405, 422} for one in seen}
        elif name in CONTESTS:
            open_to = {"visitor": {200, 302, 404, 405, 422}, "stranger": {200, 302, 405}}
            fits = {(who, method): open_to[who] for who, method in seen}
        else:
            fits = {(who, method): {403, 404} if who == "visitor" else {302} for who, method in seen}
        wrong += [f"{one} {url}: {seen[one]}" for one in seen if seen[one] not in fits[one]]
        num += len(seen)
    assert wrong == []
    assert num > 300


def test_members_are_kept_out_of_visitors_pages() -> None:
    preview = make_preview()
    for role in ("trainer", "engineer", "admin"):
        member = as_user(make_user(role=role, projects=[preview.project]))
        for page in ("chat", "mine", "mine/download"):
            assert member.get(f"/t/{preview.slug}/{page}/").status_code == 403
        assert member.get(f"/t/{preview.slug}/").status_code == 200


def test_nobody_becomes_a_visitor_and_no_visitor_anything_else() -> None:
    adam, vera = make_user(username="adam"), make_visitor(make_preview())
    for user, role in ((make_user(), "visitor"), (vera, "admin")):
        with pytest.raises(users.AccountError):
            users.change_role(user, role=role, by=adam)
    with pytest.raises(users.AccountError):
        users.create_account(username="v", role="visitor", by=adam)


def test_a_visitor_is_in_no_list_of_people_and_no_project() -> None:
    preview = make_preview()
    vera, adam = make_visitor(preview), make_user(username="adam")
    assert vera not in MembershipForm(project=preview.project).candidates
    assert vera.username not in as_user(adam).get("/people/").content.decode()


def test_a_token_of_a_visitor_opens_nothing() -> None:
    vera = make_visitor(make_preview())
    _token, text = make_token(owner=vera, name="t", scopes=["read"], life=timedelta(hours=1))
    assert find_token(text) is None
    User.objects.filter(pk=vera.pk).update(role="trainer")
    assert find_token(text) is not None


def test_a_sample_is_frozen_with_its_policies_seeds_and_parameters() -> None:
    preview, adam = make_pair(), make_user(username="adam")
    policies = (preview.project.policy, preview.second_policy)
    sample, again = (make(preview, prompt="Why?", policies=policies, chosen_from=2, by=adam) for _ in range(2))
    runs = [one.run for one in sample.answers.order_by("side")]
    seeds = [run.sampling["seed"] for run in runs]
    assert seeds == [one.run.sampling["seed"] for one in again.answers.order_by("side")]
    assert len(set(seeds)) == 2
    with pytest.raises(SampleError):
        freeze(sample, chosen=[], by=adam)
    for run in runs:
        answer(run, completions=_two(run.policy.name))
    chosen = [run.completions.get(index=1) for run in runs]
    for wrong in (chosen[:1], [chosen[0], chosen[0]]):
        with pytest.raises(SampleError):
            freeze(sample, chosen=wrong, by=adam)
    freeze(sample, chosen=chosen, by=adam)
    assert list(frozen(preview)) == [sample]
    for run in runs:
        run.completions.all().delete()
    page = Client().get(f"/t/{preview.slug}/").content.decode()
    for one in sample.answers.all():
        assert one.sampling["seed"] == one.run.sampling["seed"] + 1
        assert f"second of {one.policy.name}" in page
        assert f"seed {one.sampling['seed']}" in page
    assert page.count("chosen from 2") == 2
    with pytest.raises(SampleError):
        freeze(sample, chosen=chosen, by=adam)
    remove(sample, by=adam)
    assert not frozen(preview).exists()


def _two(name: str) -> Any:
    from records import Completion

    return tuple(
        Completion(id=str(index), content=f"The {word} of {name}.", finish_reason="stop", num_tokens=3)
        for index, word in enumerate(("first", "second"))
    )


def test_an_admin_sets_a_preview_up_and_changed_terms_are_a_new_version() -> None:
    preview, adam = make_preview(), make_user(username="adam")
    url = f"/p/{preview.project.slug}/settings/preview/"
    form = {
        "slug": "door", "title": "Sprout", "welcome": "", "terms": "Be careful.", "is_open": "on",
        "messages_per_ten_minutes": 20, "messages_per_day": 150, "runs_at_once": 2, "longest_message": 4000,
        "tokens_per_day": 1000, "second_policy": make_policy().pk,
    }  # fmt: skip
    browser = as_user(adam)
    assert browser.post(url, form).status_code == 302
    assert preview.terms_versions.count() == 1
    assert browser.post(url, form | {"terms": "Be very careful."}).status_code == 302
    assert [one.version for one in preview.terms_versions.all()] == [2, 1]
    assert browser.post(url, form | {"longest_message": 5}).status_code == 422
    assert Client().get("/t/door/").status_code == 200
    preview.project.archived_at = preview.created_at
    preview.project.save()
    assert Client().get("/t/door/").status_code == 404
