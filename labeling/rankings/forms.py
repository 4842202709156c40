"""Forms of the ranking screens: a reference ranking, a text written while ranking, the reason of an adjudication."""

import uuid
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from labeling.models import Adjudication, Comparison, Lease
from labeling.web.form_fields import FormWithProblems, ProseField, SecondsField

USE_CHOICES = (
    (Comparison.Use.PRACTICE, _("Practice: newcomers rank it, and read the explanation at once")),
    (Comparison.Use.GOLD, _("Gold: looks like any other comparison, and measures agreement")),
)


class ExplanationForm(forms.Form):
    lesson = forms.CharField(
        label=_("What it teaches, in a few words"),
        max_length=120,
        required=False,
        help_text=_("“Length is not quality”"),
    )
    explanation = ProseField(label=_("Why this order is right"), rows=5, required=False, help_text=_("Markdown."))


class ReferenceForm(ExplanationForm):
    use = forms.ChoiceField(label=_("What it is for"), choices=USE_CHOICES, widget=forms.RadioSelect)
    field_order = ("use", "lesson", "explanation")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["data-said"] = ""  # rank.js sends fields with this attribute together with the board


class BetterForm(FormWithProblems):
    """A corrected completion, or a better one, from the ranking screen."""

    content = ProseField(label=_("Your text"))
    completion = forms.UUIDField(required=False)  # the one that was corrected; empty for a text of their own
    key = forms.UUIDField()  # chosen by the page, so that a text that is sent twice is stored once
    seconds = SecondsField()


class AdjudicationForm(forms.Form):
    """Why the rankings differ, and what follows from it."""

    reason = forms.ChoiceField(
        label=_("Why do they differ?"), choices=Adjudication.Reason.choices, widget=forms.RadioSelect
    )
    words = ProseField(
        label=_("In your words"),
        rows=4,
        required=False,
        max_length=5000,
        help_text=_("Optional. The trainers to whom you return a ranking read it, and so do those who export."),
    )
    returned = forms.MultipleChoiceField(
        label=_("Return the ranking of"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("They find it under My work, with your words, and may change it once, whatever the time."),
    )
    wants_revision = forms.BooleanField(
        label=_("The guidelines should say this more clearly"),
        required=False,
        help_text=_("Admins find it beside the guidelines, until they publish a new version."),
    )

    def __init__(self, *args: Any, adjudication: Adjudication, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        leases = Lease.objects.filter(comparison=adjudication.comparison_id, state=Lease.State.SUBMITTED)
        people = leases.select_related("trainer").order_by("trainer__username")[:50]
        field = self.fields["returned"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(str(lease.id), str(lease.trainer)) for lease in people]

    def decision(self) -> dict[str, Any]:
        """What labeling.rankings.adjudication.decide takes."""
        words = self.cleaned_data["words"]
        return {
            "reason": self.cleaned_data["reason"],
            "words": words,
            "wants_revision": self.cleaned_data["wants_revision"],
            "returned": {uuid.UUID(lease): words for lease in self.cleaned_data["returned"]},
        }
