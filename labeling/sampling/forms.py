"""The form of a project's mixture: a row per part, and a few empty rows for more parts."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labeling.models import MOST_PARTS, Policy, Project
from labeling.sampling.mixtures import Part, mixture_of, quota_bounds

NUM_EMPTY = 2
FEWEST_ROWS = 3


class MixturePartForm(forms.Form):
    """One row of the mixture. A row without a share is ignored."""

    policy = forms.ModelChoiceField(
        label=gettext_lazy("Policy"),
        queryset=Policy.objects.none(),
        required=False,
        empty_label=gettext_lazy("the round’s own"),
    )
    share = forms.IntegerField(label=gettext_lazy("Share"), required=False, min_value=1, max_value=100)
    temperature = forms.FloatField(
        label=gettext_lazy("Temperature"),
        required=False,
        min_value=0,
        max_value=5,
        widget=forms.NumberInput(attrs={"step": "any"}),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        policy = self.fields["policy"]
        assert isinstance(policy, forms.ModelChoiceField)
        policy.queryset = Policy.objects.open_to(project).exclude(state=Policy.State.RETIRED).order_by("name")
        self.fields["temperature"].widget.attrs["placeholder"] = project.temperature
        self.takes = ""  # how many completions of each comparison the part samples, in words

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        told = values.get("policy") is not None or values.get("temperature") is not None
        if told and values.get("share") is None and "share" not in self.errors:
            self.add_error("share", _("Give it a share, or empty the whole row."))
        return values


class BaseMixtureFormSet(forms.BaseFormSet[MixturePartForm]):
    @property
    def parts(self) -> list[Part]:
        """The rows that have a share, in their order."""
        rows = [form.cleaned_data for form in self.forms if form.cleaned_data.get("share")]
        return [Part(policy=row["policy"], share=row["share"], temperature=row["temperature"]) for row in rows]

    def clean(self) -> None:
        if any(self.errors):
            return
        sources = [(part.policy, part.temperature) for part in self.parts]
        if len(set(sources)) < len(sources):
            raise ValidationError(_("One policy is named twice at the same temperature. Add the two shares together."))


def mixture_forms(project: Project, posted: Any = None) -> BaseMixtureFormSet:
    """The formset with the saved rows, or with the posted ones."""
    saved = mixture_of(project)
    rows = min(MOST_PARTS, max(FEWEST_ROWS, len(saved) + NUM_EMPTY))
    forms_class = forms.formset_factory(
        MixturePartForm,
        formset=BaseMixtureFormSet,
        extra=rows - len(saved),
        max_num=MOST_PARTS,
        validate_max=True,
        absolute_max=MOST_PARTS,
    )
    initial = [
        {"policy": part.policy.pk if part.policy else None, "share": part.share, "temperature": part.temperature}
        for part in saved
    ]
    shown = forms_class(posted, prefix="mixture", initial=initial, form_kwargs={"project": project})
    assert isinstance(shown, BaseMixtureFormSet)
    if saved and posted is None:
        bounds = quota_bounds(project.num_completions, [part.share for part in saved])
        for form, (fewest, most) in zip(shown.forms, bounds, strict=False):
            form.takes = _takes(fewest, most, of=project.num_completions)
    return shown


def _takes(fewest: int, most: int, *, of: int) -> str:
    values = {"fewest": fewest, "most": most, "all": of}
    if fewest == most:
        return _("%(most)d of each %(all)d") % values
    return _("%(fewest)d or %(most)d of each %(all)d") % values
