"""A valid request to each address of a full project: the forms of the pages, and the bodies of the API."""

from base64 import b64encode
from typing import Any

from labeling import models
from labeling.models import Comparison, Lease
from labeling.rankings.mending import change_key
from labeling.safety.rules import current
from tests.labeling.preview.material import opened
from tests.labeling.web.full_project import KEY, FullProject


def forms(full: FullProject) -> dict[str, dict[str, Any]]:
    """A form that each address takes, by its name; one that is not here reads nothing, or gets an empty form."""
    held = Lease.objects.get(id=full.ids["lease_id"])
    reported = full.special["report_completion"]["completion_id"]
    project, policy = full.project, full.ids["policy_id"]
    board = {f"shelf:{one}": str(place) for place, one in enumerate(held.shown_order, 1)} | {
        "line": "3",
        "seconds": "4",
    }
    rated = {f"overall:{one}": "7" for one in held.shown_order} | {f"strength:{shelf}": "2" for shelf in (2, 3, 4)}
    rated |= {f"note:{held.shown_order[0]}": "good", "key": KEY, "abstained": ""}
    ranked = _completions(full, "new_reference")
    explained = {"use": "gold", "lesson": "l", "explanation": "e"}
    percents = {"validation_percent": "10", "test_percent": "10", "split_by": "prompt"}
    dates = {"since": "2026-01-01", "until": "2026-12-31"}
    mixture = {f"mixture-{name}_FORMS": number for name, number in (("TOTAL", "0"), ("INITIAL", "0"))}
    numbers = {
        "temperature": 1, "top_p": 1, "max_new_tokens": 256, "num_completions": 4, "rankings_wanted": 2,
        "comparisons_ready": 20, "lease_minutes": 30, "minutes_to_change": 30, "gold_every": 0, "num_suggestions": 3,
        "suggestion_temperature": 0.7, "suggestion_top_p": 1, "suggestion_max_new_tokens": 256,
        "grace_minutes": 10, "control_share": 0, "adjudicates_below": 70,
    }  # fmt: skip
    sft = {"epochs": 2, "batch_size": 16, "lr": 0.1, "seed": 0, "output_name": "a-new-one"}
    return {
        "sign_in": {"username": "adam", "password": "x", "next": "/", "time_zone": "UTC"},
        "second_step": {"code": "123456"},
        "passkey_sign_in": {"credential": "{}", "next": "/", "time_zone": "UTC"},
        "forgotten_password": {"name": "adam"},
        "account_link": {"new_password1": "x", "new_password2": "y"},
        "confirm": {"password": "x", "code": "", "next": "/"},
        "confirm_by_passkey": {"credential": "{}", "next": "/"},
        "set_up_app": {"code": "123456"},
        "add_passkey": {"credential": "{}", "name": "n"},
        "account": {"display_name": "A", "email": "a@example.org", "time_zone": "UTC", "language": "en"},
        "theme": {"theme": "dark", "next": "/"},
        "tour_seen": {"name": "rank"},
        "snippets": {"name": "Hello", "text": "Good morning!"},
        "change_snippet": {f"s-{full.ids['snippet_id']}-{name}": name for name in ("name", "text")},
        "tokens": {"token-name": "t", "token-scopes": "read", "token-life": "30"},
        "people": {"username": "carol", "role": "trainer"},
        "change_role": {"role": "reviewer"},
        "new_project": {"name": "N", "description": "d", "guidelines": "g"},
        "project_settings": {"name": "N", "description": "d", "policy": project.policy_id, **numbers, **mixture},
        "archive_project": {"archived": "yes"},
        "edit_guidelines": {"text": "Be kind."},
        "rules": {"version": "0", "is_on": "on", "note": "w", **_rule_fields(project)},
        "filters": {"name": "guard", "backend": "chat_guard", "url": "https://guard.example/v1", "model": "g"},
        "promote_filter": {"to": "shadow", "why": "w"},
        "project_people": {"members": full.ids["user_id"]},
        "preview": {"text": "*x*"},
        "start_dialogue": {"prompt": full.ids["prompt_id"]},
        "choose_topics": {"topics": "sums"},
        "add_message": {"role": "user", "content": "And?", "seconds": "3", "completion": ""},
        "edit_message": {"content": "Lyon.", "later": "keep", "seen": "", "keep": ""},
        "save_composer": {"role": "user", "content": "An", "version": "0"},
        "submit_dialogue": {"content": "And?", "role": "user", "seconds": "3"},
        "suggest": {"again": "yes"},
        "say": {"content": "And?", "num_drafts": "2", "seconds": "3"},
        "regenerate": {"num_drafts": "2"},
        "return_dialogue": {"comment": "Longer."},
        "comment_on_message": {"text": "Say why."},
        "new_export": {"kind": "prompts", "format": "records", **dates, **percents},
        "decide_near_duplicate": {"decision": "later"},
        "retire_near_duplicates": {"at_least": "0.99"},
        "retire_prompt": {"retired": "yes", "next": "/"},
        "webhooks": {"url": "https://example.org/", "events": "export.ready"},
        "new_import": {"into": "prompts"},
        "import": {"skips_bad_lines": "on"},
        "read_import_differently": {"format": "auto"},
        "retract_thumb": {"retracted": "yes"},
        "start_training": {"kind": "sft", "policy": policy, "export": full.ids["export_id"], **sft},
        "evaluations": {"candidates": policy, "num_prompts": 20, "verdicts_per_pair": 10, "share": 50},
        "promote_policy": {"reason": "It was tried by hand."},
        "preview_withdrawal": _withdrawal(full),
        "new_withdrawal": _withdrawal(full),
        "undo_withdrawal": {"reason": "It was another."},
        "rebuild_export": {"more": full.ids["export_id"]},
        "appeal": {"why": "It is a story."},
        "decide_appeal": {"decision": "overturned", "reply": "A story it is."},
        "label_texts": {"drawn": models.DrawnText.objects.get(came_by="random").id, "categories": ["V"]},
        **_of_probes(full),
        "filter_training": {
            "export": full.ids["export_id"], "output_name": "f", "seed": 0, "num_folds": 4, "strength_vectors": 10,
            "strength_ngrams": 30,
        },
        "reference": {"lesson": "l", "explanation": "e"},
        "retire_reference": {"retired": "yes"},
        "new_reference": {"key": KEY, **explained, **_shelves(full, "new_reference")},
        "practice_board": {"key": KEY, "seconds": "1", "line": "1"} | _shelves(full, "practice_board"),
        "lease": board | rated,
        "adjudication": {"key": KEY, "seconds": "1", "line": "", **_adjudicated(full, "shelf:")},
        "adjudication_draft": {"draft": "x", "version": "0"},
        "renew_adjudication": {"seconds": "5"},
        "decide_adjudication": {"reason": "taste", "words": "So it is.", "returned": "", "wants_revision": "on"},
        "change_ranking": _changed(full) | {f"shelf:{one}": "1" for one in ranked}
        | {f"overall:{one}": "2" for one in ranked},
        "lease_draft": {"draft": "x", "version": "0"},
        "lease_renew": {"seconds": "5"},
        "skip_lease": {"reason": "Not my topic"},
        "write_better": {"completion": str(reported), f"content:{reported}": "Better."},
        "object_to_results": {"objection": "Unfair."},
        "enter_challenge": _entry("keep"),
        "entry": _entry("send"),
        "mark_entry": {f"{name}:{key}": "3" for name in ("mark", "why") for key in ("risk", "novelty", "form")},
        "declare_conflict": {"why": "My sister."},
        "project_challenges": _contest("another"),
        "run_challenge": _contest("ours"),
        "name_juror": {"username": "bob"},
        "disqualify_entry": {"why": "It is an advertisement."},
        "name_duplicate": {"other": full.ids["judged_id"], "why": "The same."},
        "release_entry": {"released": "on"},
        "challenge_results": {"words": "A strong field.", f"reason:{full.ids['judged_id']}": "Clear."},
        "answer_objection": {"reply": "We looked again."},
        "report_completion": {f"report_kind:{reported}": "harmful", f"report_note:{reported}": "why"},
        "report_message": {"kind": "biased", "note": "why"},
        "thumb_message": {"thumb": "down", "reasons": "too long", "better": "A better one.", "why": "1"},
        "decide_case": {"agreed": "yes", "action": "noted", "why": "It is so."},
        "follow_case": {"kind": "probe"},
        **_door_and_visits(),
    }  # fmt: skip


def bodies(full: FullProject) -> dict[str, Any]:
    """A JSON body that each address takes, by its name, of pages and of the API alike."""
    held = Lease.objects.get(id=full.ids["lease_id"])
    best = held.shown_order[0]
    ratings = {one: {"overall": 7, "flags": ["hallucination"], "note": "good"} for one in held.shown_order}
    strengths = {"2": 1, "3": 2, "4": 3}
    board = {"line": 2, "seconds": 4.5, "layout": "stacked", "key": KEY, "abstained": None}
    said = [{"role": "user", "content": "Why?"}]
    explained = {"use": "gold", "lesson": "l", "explanation": "e"}
    ranked = _completions(full, "new_reference")
    rating = {"overall": 3, "flags": {"hallucination": True}, "note": "n"}
    return {
        "lease": {"shelves": _order(held.shown_order), "ratings": ratings, "strengths": strengths, **board},
        "change_ranking": {**board, "shelves": _order(ranked[::-1]), "strengths": strengths, **_changed(full)}
        | {"ratings": {one: {"overall": 3} for one in ranked}},
        "lease_draft": {"draft": {"board": {"shelves": {best: 1}, "line": 2, "strengths": strengths}}, "version": 0},
        "lease_renew": {"seconds": 4.5},
        "adjudication": {"shelves": _adjudicated(full), **board},
        "adjudication_draft": {"draft": {"board": {"shelves": {}, "line": 2}, "layout": "two"}, "version": 0},
        "renew_adjudication": {"seconds": 4.5},
        "write_better": {"completion": best, "content": "Better.", "key": KEY, "seconds": 3},
        "practice_board": {"shelves": _order(_completions(full, "practice_board")), **board},
        "new_reference": {"shelves": _order(_completions(full, "new_reference")), **explained, **board},
        "api_list_prompts": {"prompts": [{"messages": said, "topic": "sums", "source": "s"}], "on_error": "stop"},
        "api_list_feedback": {"messages": said, "answer": "So.", "thumb": "down", "reason": "r", "id": "one"},
        "api_list_dialogues": {"dialogues": [{"messages": [*said, {"role": "assistant", "content": "So."}]}]},
        "api_submit": {
            "tiers": [[one] for one in held.shown_order],
            "unacceptable_from": 2,
            "strengths": [1, 2, 3],
            "ratings": [{"completion_id": one, **rating} for one in held.shown_order],
            "seconds": 3.5,
        },
        "api_skip": {"reason": "not my topic"},
        "api_change_own_ranking": {
            "tiers": [ranked],
            "ratings": [{"completion_id": one, **rating} for one in ranked],
            "note": "On reflection.",
        },
        "api_withdraw_own_ranking": {"reason": "I had not read D."},
        "api_list_exports": {"kind": "rankings", "format": "records", "filters": {
            "rounds": [1], "since": "2026-01-01", "until": "2026-12-31", "topics": ["sums"], "trainers": ["t"],
            "trainer_kinds": ["person"], "states": ["done"], "guideline_versions": [1], "agreement_at_least": 50,
            "disagreements": "adjudicated", "split_by": "prompt", "scrubs_personal_data": True,
            "validation_percent": 10, "test_percent": 10,
        }},
        "api_list_appeals": {
            "screening_id": str(full.special["appeal"]["screening_id"]), "why": "It is a story.",
        },
        "api_put_label": {
            "screening_id": str(models.DrawnText.objects.get(came_by="random").screening_id),
            "answers": {"V": "yes", "H": "unsure"},
        },
        "api_promote": {"policy_id": str(full.ids["policy_id"]), "reason": "It was tried by hand."},
        "api_list_jobs": {
            "kind": "ppo", "export_id": str(full.ids["export_id"]), "output_name": "a-new-one",
            "policy_id": str(full.project.policy_id), "reward_model_id": str(models.RewardModel.objects.get().id),
            "options": {"lr": 0.1, "updates": 1, "lora": True},
        },
        "api_list_evaluations": {
            "policy_ids": [str(full.ids["policy_id"])], "num_prompts": 20, "verdicts_per_pair": 10, "share": 0.5,
        },
        "api_list_withdrawals": {"reason": "fraud", "text": "Copied."} | _span(full),
        "api_preview_withdrawal": _span(full),
        "api_undo_withdrawal": {"reason": "It was another."},
        "api_list_imports": {
            "into": "prompts", "name": "more.jsonl", "skips_bad_lines": True,
            "content": b64encode(b'{"messages": [{"role": "user", "content": "Why?"}]}\n').decode(),
        },
        "api_list_people": {"username": "dora", "role": "reviewer"},
        "api_change_person": {"role": "engineer", "is_active": False},
        "api_change_project_members": {"add": [str(full.ids["user_id"])], "remove": []},
        "api_get_rules": {"version": 0, "is_on": True, "note": "w", "rules": [
            {"category": "H", "side": "said", "mode": "on", "warn_at": 0.5, "block_at": None},
        ]},
        "api_promote_filter": {"to": "shadow", "why": "w"},
        "api_moderate": {"input": ["Hello."], "model": "m"},
        "api_list_reports": {
            "message_id": str(full.special["report_message"]["message_id"]), "kind": "false", "note": "n",
        },
        "api_list_webhooks": {"url": "https://example.org/", "events": ["export.ready"]},
    }  # fmt: skip


def _entry(what: str) -> dict[str, Any]:
    return {
        "title": "T", "text": "It lies.", "reports": "", "shows_name": "on", "is_adult": "on", "accepts_rules": "on",
        "rules_version": "1", "do": what,
    }  # fmt: skip


def _contest(slug: str) -> dict[str, Any]:
    weights = {f"weight_{name}": 1 for name in ("risk", "novelty", "form")}
    dates = {"opens_at": "2026-01-01T00:00", "closes_at": "2036-01-01T00:00"}
    return {"title": "T", "slug": slug, "num_prizes": 3, "most_entries": 3, "rules": "R", **weights, **dates}


def _door_and_visits() -> dict[str, dict[str, Any]]:
    door = {"email": "wanda@example.org", "opened": opened(), "website": ""}
    limits = {
        "messages_per_ten_minutes": 20, "messages_per_day": 150, "runs_at_once": 2, "longest_message": 4000,
        "tokens_per_day": 1000,
    }  # fmt: skip
    return {
        "preview_sign_up": {**door, "adult": "on", "terms": "on", "training": "on"},
        "preview_sign_in": door,
        "preview_open": {"adult": "on", "terms": "on", "training": "on"},
        "visit": {"content": "Why?", "with_two": "yes"},
        "visit_say": {"content": "And then?", "with_two": ""},
        "visit_report": {"kind": "false", "note": "why"},
        "visit_thumb": {"thumb": "down", "reasons": "too long", "better": "", "why": "1"},
        "visit_appeal": {"why": "It is a tale."},
        "change_training": {"training": ""},
        "preview_settings": {"slug": "theirs", "title": "T", "welcome": "w", "terms": "t", "is_open": "on", **limits},
        "preview_samples": {"prompt": "Why not?", "left": "", "right": "", "chosen_from": "2"},
        "freeze_sample": {"side:0": "x", "side:1": "y"},
    }


def _of_probes(full: FullProject) -> dict[str, dict[str, Any]]:
    return {
        "start_probes": {"policy": full.project.policy_id, "sets": ["compliance"]},
        "label_probes": {"label": models.ProbeLabel.objects.get().id, "value": "complies"},
    }


def _withdrawal(full: FullProject) -> dict[str, Any]:
    person = models.User.objects.get(username="wilma").id
    chosen = {"kinds": "thumbs", "reason": "other", "text": "Copied.", "since": "2026-01-01"}
    return {"person": person, "outside_person": "", "key": KEY, **chosen}


def _span(full: FullProject) -> dict[str, Any]:
    person = str(models.User.objects.get(username="wilma").id)
    return {"person_id": person, "kinds": ["thumbs"], "since": "2026-01-01T00:00:00Z"}


def _completions(full: FullProject, name: str) -> list[str]:
    comparison = full.special.get(name, full.ids)["comparison_id"]
    return [str(one) for one in Comparison.objects.get(id=comparison).completions.values_list("id", flat=True)]


def _changed(full: FullProject) -> dict[str, Any]:
    """What names the version that a change takes the place of."""
    key = change_key(full.special["withdraw_ranking"]["ranking_id"])
    return {"key": str(key), "note": "On reflection."}


def _adjudicated(full: FullProject, before: str = "") -> dict[str, Any]:
    held = models.Adjudication.objects.get(id=full.ids["adjudication_id"])
    return {f"{before}{one}": place for one, place in _order(held.shown_order).items()}


def _order(completions: list[str]) -> dict[str, int]:
    return {one: place for place, one in enumerate(completions, 1)}


def _shelves(full: FullProject, name: str) -> dict[str, Any]:
    return {f"shelf:{one}": place for one, place in _order(_completions(full, name)).items()}


def _rule_fields(project: models.Project) -> dict[str, str]:
    """Every line of the table of rules, left to the filter."""
    return {f"mode-{rule.category}-{rule.side}": "own" for rule in current(project) if not rule.is_fixed}
