"""Forms of the ranking screen: use and explanation of a reference ranking; a text written while ranking."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from labeling.models import Comparison
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
