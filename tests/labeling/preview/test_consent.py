"""Consent: without it nothing of a visitor leaves by any export, and taking it back takes out what was made of it."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.urls import reverse

from labeling import exports
from labeling.exports.retractions import with_retractions
from labeling.models import Consent, Dialogue, Export, Preview, Prompt, Ranking, User
from labeling.preview import consent, taking_in
from tests.labeling.factories import make_thumb, make_user
from tests.labeling.preview.material import chat, choice, make_pair, make_visitor
from tests.labeling.signed_in import as_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
PLANTED = "planted-7f3a"
ASKING = {"rankings": {"trainer_kinds": ["visitor", "person"]}, "demonstrations": {"states": ["accepted", "submitted"]}}


@pytest.fixture
def preview() -> Preview:
    return make_pair(runs_at_once=12)


def export(preview: Preview, kind: str, **filters: Any) -> Export:
    asked = exports.request_export(preview.project, kind=kind, filters=filters, by=None, notify_worker=False)
    assert exports.build(asked.id)
    return Export.objects.get(pk=asked.pk)


def text_of(made: Export) -> str:
    folder = settings.PARLEY_STORE / made.store_path
    return "".join(path.read_text() for path in sorted(folder.iterdir()))


def leaves(preview: Preview) -> set[str]:
    """The kinds of export in which the planted string leaves, each asked for all that it can give."""
    found = {}
    for kind in Export.Kind.values:
        found[kind] = text_of(export(preview, kind, **ASKING.get(kind, {})))
    return {kind for kind, text in found.items() if PLANTED in text}


def work(preview: Preview, by: User) -> None:
    """Every kind of row that an export could hold, by a visitor."""
    choice(preview, by, f"{PLANTED} which?")
    Dialogue.objects.filter(pk=chat(preview, by, f"{PLANTED} why?").pk).update(state="accepted")
    for dialogue in Dialogue.objects.filter(kind="visitor"):
        Dialogue.objects.filter(pk=dialogue.pk).update(state="accepted")
    make_thumb(project=preview.project, content=f"{PLANTED}.", created_by=by)


def test_without_consent_nothing_leaves_by_any_export(preview: Preview) -> None:
    work(preview, make_visitor(preview))
    assert taking_in.take_in(preview, by=make_user(username="adam")) == 0
    assert leaves(preview) == set()


def test_with_consent_choices_and_prompts_leave_marked_as_a_visitor_s(preview: Preview) -> None:
    vera = make_visitor(preview, training=True)
    work(preview, vera)
    assert taking_in.take_in(preview, by=make_user(username="adam")) == 2
    assert leaves(preview) == {"rankings", "prompts", "thumbs"}
    folder = settings.PARLEY_STORE / export(preview, "rankings", trainer_kinds=["visitor"]).store_path
    (record,) = [json.loads(line) for line in (folder / "rankings.jsonl").read_text().splitlines()]
    assert (record["trainer_kind"], record["trainer"], record["choice"]) == ("visitor", vera.pseudonym, True)
    folder = settings.PARLEY_STORE / export(preview, "prompts").store_path
    found = [json.loads(line) for line in (folder / "prompts.jsonl").read_text().splitlines()]
    assert [record["source"] for record in found] == ["visitor", "visitor"]


@pytest.mark.parametrize("filters", [{}, {"trainer_kinds": ["person"]}, {"trainer_kinds": ["simulated", "imported"]}])
def test_choices_of_visitors_leave_only_where_they_are_asked_for(
    preview: Preview, filters: dict[str, list[str]]
) -> None:
    choice(preview, make_visitor(preview, training=True), PLANTED)
    assert PLANTED not in text_of(export(preview, "rankings", **filters))


def test_what_was_written_before_consent_does_not_leave_with_it(preview: Preview) -> None:
    vera = make_visitor(preview)
    work(preview, vera)
    consent.set_training(vera, preview, training=True)
    assert taking_in.take_in(preview, by=make_user(username="adam")) == 0
    assert leaves(preview) == set()


def test_consent_to_one_preview_says_nothing_of_another(preview: Preview) -> None:
    other = make_pair()
    vera = make_visitor(preview)
    Consent.objects.create(user=vera, preview=other, terms_version=1, training=True, adult=True)
    work(preview, vera)
    assert leaves(preview) == set()


def test_taking_it_back_takes_out_what_was_made_and_marks_exports(preview: Preview) -> None:
    vera = make_visitor(preview, training=True)
    work(preview, vera)
    taking_in.take_in(preview, by=make_user(username="adam"))
    before = export(preview, "rankings", trainer_kinds=["visitor"])
    assert before.num_records == 1
    browser = as_user(vera)
    browser.post(reverse("change_training", args=(preview.slug,)))
    assert leaves(preview) == set()
    assert not Prompt.objects.in_use().filter(source="visitor").exists()
    assert Ranking.objects.get().retracted_at is not None
    (found,) = with_retractions([before])
    assert found.num == 1
    browser.post(reverse("change_training", args=(preview.slug,)), {"training": "on"})
    assert leaves(preview) == set()  # what was taken out stays out; what comes now counts
    assert list(Consent.objects.order_by("at").values_list("training", flat=True)) == [True, False, True]
    assert Consent.objects.in_force().count() == 1


def test_a_download_holds_everything_of_a_visitor(preview: Preview) -> None:
    vera = make_visitor(preview)
    choice(preview, vera, f"{PLANTED} which?")
    chat(preview, vera, f"{PLANTED} why?")
    answer = as_user(vera).get(reverse("download_mine", args=(preview.slug,)))
    found = json.loads(answer.content)
    assert answer["Content-Disposition"].startswith("attachment")
    assert found["account"]["email"] == "vera@example.org"
    assert [len(one["messages"]) for one in found["dialogues"]] == [2, 2]
    assert [one["chosen"] for one in found["choices"][0]["answers"]].count(True) == 1
    assert len(found["consents"]) == 1


def test_an_admin_takes_prompts_in_by_a_button(preview: Preview) -> None:
    chat(preview, make_visitor(preview, training=True), f"{PLANTED} why?", "And then?")
    admin = as_user(make_user(username="adam"))
    slug = preview.project.slug
    assert "Take in 1 new prompt" in admin.get(reverse("preview_settings", args=(slug,))).content.decode()
    admin.post(reverse("take_in_prompts", args=(slug,)))
    prompt = Prompt.objects.get()
    assert [one["role"] for one in prompt.messages] == ["user", "assistant", "user"]
    assert "Take in" not in admin.get(reverse("preview_settings", args=(slug,))).content.decode()
