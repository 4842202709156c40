"""What a visitor sees of their own under Mine, and takes away: all of it, as one JSON document."""

from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from labeling.models import Appeal, Comparison, Consent, Dialogue, Message, Preview, Ranking, Thumb, User
from labeling.safety import reports
from labeling.safety.appeals import appeals_of


def own_visits(preview: Preview, user: User) -> QuerySet[Dialogue]:
    """The visitor's chats, newest first, each with its first question and how much was said."""
    first = Message.objects.filter(dialogue=OuterRef("pk"), role=Message.Role.USER).order_by("position")
    rows = Dialogue.objects.filter(project=preview.project_id, kind=Dialogue.Kind.VISITOR, author=user)
    return rows.annotate(
        opening=Subquery(first.values("content")[:1]),
        num_questions=Count("messages", filter=Q(messages__role=Message.Role.USER)),
    ).order_by("-updated_at", "-id")


def everything_of(preview: Preview, user: User) -> dict[str, Any]:
    """All that is kept of a visitor in this preview."""
    return {
        "preview": preview.title,
        "account": {"email": user.email, "name": user.username, "since": user.created_at.isoformat()},
        "consents": [_consent(one) for one in Consent.objects.filter(preview=preview, user=user).order_by("at")],
        "dialogues": [_dialogue(one) for one in own_visits(preview, user).prefetch_related("messages__policy")],
        "reports": [_report(one) for one in reports.outcomes_for(user, project=preview.project)],
        "thumbs": [_thumb(one) for one in _thumbs(preview, user)],
        "appeals": [_appeal(one) for one in appeals_of(user).filter(project=preview.project_id)],
        "choices": [_choice(one) for one in _choices(preview, user)],
    }


def _choices(preview: Preview, user: User) -> QuerySet[Ranking]:
    rows = Ranking.objects.filter(
        trainer=user, comparison__project=preview.project_id, comparison__use=Comparison.Use.PREVIEW
    )
    return rows.order_by("ranked_at").select_related("comparison").prefetch_related("comparison__completions__policy")


def _consent(consent: Consent) -> dict[str, Any]:
    return {
        "at": consent.at.isoformat(),
        "terms_version": consent.terms_version,
        "training": consent.training,
        "adult": consent.adult,
        "withdrawn_at": consent.withdrawn_at.isoformat() if consent.withdrawn_at else None,
    }


def _dialogue(dialogue: Dialogue) -> dict[str, Any]:
    said = sorted(dialogue.messages.all(), key=lambda one: one.position)
    return {
        "id": str(dialogue.id),
        "begun_at": dialogue.created_at.isoformat(),
        "messages": [
            {**one.plain, "at": one.created_at.isoformat(), "model": one.policy.name if one.policy else None}
            for one in said
        ],
    }


def _report(outcome: reports.Outcome) -> dict[str, Any]:
    row = outcome.report
    return {
        "at": row.created_at.isoformat(),
        "kind": row.kind,
        "note": row.note,
        "of": row.content,
        "reply": outcome.why,
    }


def _thumbs(preview: Preview, user: User) -> QuerySet[Thumb]:
    return Thumb.objects.that_count().filter(project=preview.project_id, created_by=user).order_by("created_at")


def _thumb(thumb: Thumb) -> dict[str, Any]:
    return {"at": thumb.given_at.isoformat(), "up": thumb.up, "reasons": thumb.reasons, "of": thumb.content}


def _appeal(appeal: Appeal) -> dict[str, Any]:
    return {"at": appeal.created_at.isoformat(), "why": appeal.why, "state": appeal.state, "reply": appeal.reply}


def _choice(ranking: Ranking) -> dict[str, Any]:
    chosen = ranking.tiers[0]
    return {
        "at": ranking.ranked_at.isoformat(),
        "messages": ranking.comparison.messages,
        "answers": [
            {
                "content": one.content,
                "model": one.policy.name if one.policy else None,
                "chosen": str(one.pk) in chosen,
            }
            for one in ranking.comparison.completions.all()
        ],
    }
