"""The forms of reports, thumbs and triage. They check values only; labeling.safety decides what may be."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from labeling.models import Case, Report, Thumb
from labeling.safety.reports import LONGEST_NOTE
from labeling.safety.triage import LONGEST_WHY
from labeling.web.form_fields import FormWithProblems, ProseField

_LEFT_OUT = {"required": _("Choose what is wrong."), "invalid_choice": _("Choose what is wrong.")}


class ReportForm(FormWithProblems):
    kind = forms.ChoiceField(choices=Report.Kind.choices, error_messages=_LEFT_OUT)
    note = forms.CharField(required=False, max_length=LONGEST_NOTE)


class ThumbForm(FormWithProblems):
    """A thumb, or `none` to take it back. The form under a thumb also sends why, and a better answer."""

    thumb = forms.ChoiceField(choices=(("up", "up"), ("down", "down"), ("none", "none")))
    reasons = forms.MultipleChoiceField(choices=Thumb.Reason.choices, required=False)
    better = ProseField(required=False)


class DecisionForm(forms.Form):
    agreed = forms.ChoiceField(
        label=_("Is it so?"),
        choices=(("yes", _("Agreed: it is so")), ("no", _("Not agreed"))),
        widget=forms.RadioSelect,
        error_messages={"required": _("Say whether you agree.")},
    )
    action = forms.ChoiceField(
        label=_("What is done about it"),
        required=False,
        help_text=_("Where you agree."),
        choices=[("", "–"), *((one.value, _(one.label)) for one in Case.Action)],
    )
    why = forms.CharField(
        label=_("Why"),
        max_length=LONGEST_WHY,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Who reported it reads this."),
        error_messages={"required": _("Say why: who reported it reads it.")},
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("agreed") == "yes" and not values.get("action"):
            self.add_error("action", _("Choose what is done about it."))
        return values
