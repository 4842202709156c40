"""Forms of appeals and labels, of the choice of what the filter's quality is shown of, and of its training."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labeling.models import Export, Filter, Project, Screening
from labeling.models.safety.categories import CATEGORIES
from labeling.models.safety.labels import NO, UNSURE, YES
from labeling.rounds.training_form import ExportChoice, free_name
from labeling.safety.appeals import LONGEST_WORDS
from labeling.web.form_fields import ProseField

WEEKS = 26  # that can be chosen


class AppealForm(forms.Form):
    why = ProseField(
        label=_("Why was the filter wrong?"),
        rows=3,
        max_length=LONGEST_WORDS,
        required=False,
        help_text=_("You may leave it empty. A person reads it, and your text, and answers."),
    )


class DecisionForm(forms.Form):
    DECISIONS = (
        ("overturned", _("The filter was wrong: the text is shown again")),
        ("upheld", _("The filter was right")),
    )

    decision = forms.ChoiceField(label=_("Decision"), choices=DECISIONS, widget=forms.RadioSelect)
    reply = ProseField(
        label=_("Reply"), rows=4, max_length=LONGEST_WORDS, help_text=_("The person who appealed reads it.")
    )


class LabelForm(forms.Form):
    """What a text is; what is not ticked is "no", or unsure where the person is unsure of the rest."""

    drawn = forms.UUIDField(widget=forms.HiddenInput)
    categories = forms.MultipleChoiceField(
        choices=list(CATEGORIES.items()), required=False, widget=forms.CheckboxSelectMultiple
    )
    unsure = forms.BooleanField(required=False)
    none = forms.BooleanField(required=False)

    @property
    def answers(self) -> dict[str, str]:
        if self.cleaned_data["none"]:
            return dict.fromkeys(CATEGORIES, NO)
        chosen, rest = self.cleaned_data["categories"], UNSURE if self.cleaned_data["unsure"] else NO
        return {name: YES if name in chosen else rest for name in CATEGORIES}


class FiguresForm(forms.Form):
    """Which filter's figures, on which side, of which week."""

    filter = forms.ModelChoiceField(label=_("Filter"), queryset=Filter.objects.none(), required=False, empty_label=None)
    side = forms.ChoiceField(label=_("Side"), choices=Screening.Side.choices, required=False)
    week = forms.TypedChoiceField(label=_("Week"), coerce=date.fromisoformat, required=False, empty_value=None)
    category = forms.ChoiceField(label=_("Curves of"), choices=list(CATEGORIES.items()), required=False)

    def __init__(self, values: Any, *, project: Project) -> None:
        self._current = Filter.objects.in_force()
        super().__init__(
            values,
            initial={"filter": self._current, "side": Screening.Side.ANSWERED, "category": next(iter(CATEGORIES))},
        )
        shown = (
            Filter.objects.filter(screenings__project=project).distinct()
            | Filter.objects.filter(id=self._current.id).distinct()
        )
        self.fields["filter"].queryset = shown  # type: ignore[attr-defined]
        today = timezone.localdate()
        monday = today - timedelta(days=today.weekday())
        weeks = [monday - timedelta(weeks=back) for back in range(WEEKS)]
        self.fields["week"].choices = [("", _("all")), *((day.isoformat(), f"{day:%d %b %Y}") for day in weeks)]  # type: ignore[attr-defined]

    def chosen(self, name: str) -> Any:
        """What was asked for; where nothing was, or nothing that there is, what the page begins with."""
        found = self.cleaned_data.get(name) if self.is_valid() or name in getattr(self, "cleaned_data", {}) else None
        return found or self.initial.get(name)

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        monday = self.chosen("week")
        if monday is None:
            return None
        begin = timezone.make_aware(datetime.combine(monday, time.min))
        return begin, begin + timedelta(weeks=1)


class FilterTrainingForm(forms.Form):
    """What a filter is trained on, and how: the options of contentfilter.train."""

    export = ExportChoice(
        label=_("Labels"),
        queryset=Export.objects.none(),
        empty_label=None,
        help_text=_("A finished export of labels. Each category needs ten texts with “yes” to be learnt."),
    )
    output_name = forms.CharField(label=_("Name of the filter"), max_length=100)
    seed = forms.IntegerField(label=_("Seed"), min_value=0, max_value=2**31 - 1, initial=0)
    num_folds = forms.IntegerField(
        label=_("Folds"),
        min_value=2,
        max_value=20,
        initial=4,
        help_text=_("Parts of the cross-validation that calibrates it and sets its thresholds."),
    )
    strength_vectors = forms.FloatField(
        label=_("Strength on meaning"), min_value=1e-3, max_value=1e6, initial=10.0,
        help_text=_("Inverse of the penalty of the heads on vectors."),
    )  # fmt: skip
    strength_ngrams = forms.FloatField(
        label=_("Strength on letters"), min_value=1e-3, max_value=1e6, initial=30.0,
        help_text=_("Inverse of the penalty of the heads on n-grams."),
    )  # fmt: skip

    def __init__(self, values: Any = None, *, project: Project) -> None:
        super().__init__(values, initial={"output_name": free_name(f"{project.slug[:60]}-filter")})
        done = project.exports.filter(kind=Export.Kind.LABELS, state=Export.State.DONE, format="records")
        field = self.fields["export"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = done.filter(num_records__gt=0).order_by("-created_at")

    @property
    def has_export(self) -> bool:
        field = self.fields["export"]
        assert isinstance(field, forms.ModelChoiceField)
        return field.queryset is not None and field.queryset.exists()

    @property
    def options(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name not in ("export", "output_name")}
