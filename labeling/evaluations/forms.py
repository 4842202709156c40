"""Forms of policies' limits: which policy is asked what, which two are shown, and what an answer is."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from labeling.evaluations.probe_labels import CHOICES
from labeling.evaluations.probe_sets import SET_NAMES
from labeling.models import Policy, Project

SET_LABELS = {
    "rephrasing": _("Questions in other words"),
    "same_again": _("Questions with other seeds"),
    "guessing": _("Asking or guessing"),
    "over_refusal": _("Safe requests that look unsafe"),
    "compliance": _("Unsafe requests"),
    "verbosity": _("Length against need"),
}


class StartForm(forms.Form):
    policy = forms.ModelChoiceField(label=_("Policy"), queryset=Policy.objects.none())
    sets = forms.MultipleChoiceField(
        label=_("Sets"),
        choices=[(name, SET_LABELS[name]) for name in SET_NAMES],
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, policies: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["policy"].queryset = policies  # type: ignore[attr-defined]


class PairForm(forms.Form):
    """Which policy is shown beside which; both were asked probes in this project."""

    old = forms.ModelChoiceField(label=_("Old"), queryset=Policy.objects.none())
    new = forms.ModelChoiceField(label=_("New"), queryset=Policy.objects.none())

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        asked = Policy.objects.filter(probe_runs__project=project).distinct().order_by("name")
        for name in ("old", "new"):
            self.fields[name].queryset = asked  # type: ignore[attr-defined]


class ProbeLabelForm(forms.Form):
    label = forms.UUIDField(widget=forms.HiddenInput)
    value = forms.ChoiceField(choices=sorted({(value, value) for values in CHOICES.values() for value in values}))
