"""Forms of exports: what to take out, and what to compare it with."""

from typing import Any

from django import forms
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from labeling.exports import FilterError, read_filters
from labeling.exports.filters import filters_in_words
from labeling.exports.formats import FORMATS, RECORDS, find_format
from labeling.models import Comparison, Dialogue, Export, Project, User
from labeling.web.times import moment

_TRAINER_KINDS = (
    ("person", _("people")),
    ("simulated", _("simulated trainers")),
    ("imported", _("imported")),
    ("visitor", _("visitors, with consent")),
)
_STATES = (
    (Comparison.State.DONE.value, _("finished comparisons")),
    (Comparison.State.OPEN.value, _("open comparisons")),
    (Dialogue.State.ACCEPTED.value, _("accepted dialogues")),
    (Dialogue.State.SUBMITTED.value, _("dialogues that wait for review")),
)


class ExportForm(forms.Form):
    """What to export. labeling.exports refuses filters that do not apply to the kind."""

    KINDS = (
        (Export.Kind.RANKINGS.value, _("Rankings, for a reward model or DPO")),
        (Export.Kind.DEMONSTRATIONS.value, _("Demonstrations, for fine-tuning")),
        (Export.Kind.PROMPTS.value, _("Prompts, for PPO and what else samples")),
        (Export.Kind.THUMBS.value, _("Thumbs, for KTO")),
        (Export.Kind.LABELS.value, _("Labels, for a content filter")),
    )

    kind = forms.ChoiceField(label=_("What"), choices=KINDS, widget=forms.RadioSelect, initial="rankings")
    format = forms.ChoiceField(
        label=_("Format"),
        choices=[(RECORDS, _("records, which lose nothing")), *((one.name, one.label) for one in FORMATS)],
        required=False,
    )
    rounds = forms.TypedMultipleChoiceField(label=_("Rounds"), coerce=int, required=False)
    topics = forms.MultipleChoiceField(label=_("Topics"), required=False)
    trainers = forms.MultipleChoiceField(label=_("Trainers"), required=False)
    trainer_kinds = forms.MultipleChoiceField(
        label=_("Made by"), choices=_TRAINER_KINDS, required=False, widget=forms.CheckboxSelectMultiple
    )
    states = forms.MultipleChoiceField(
        label=_("State"), choices=_STATES, required=False, widget=forms.CheckboxSelectMultiple
    )
    guideline_versions = forms.TypedMultipleChoiceField(label=_("Guideline versions"), coerce=int, required=False)
    agreement_at_least = forms.IntegerField(
        label=_("Agreement at least, %"),
        min_value=0,
        max_value=100,
        required=False,
        help_text=_("Of rankings whose comparison two trainers ranked; the others are left out."),
    )
    disagreements = forms.ChoiceField(
        label=_("Where rankings differ"),
        choices=(
            ("all", _("all rankings, and adjudications beside them")),
            ("adjudicated", _("the adjudication, where there is one")),
            ("consensus", _("only what trainers agree on")),
        ),
        required=False,
        help_text=_("Of rankings. Agreed on is what reaches the agreement beside; without one, all of it."),
    )
    split_by = forms.ChoiceField(
        label=_("Split by"),
        choices=(("prompt", _("prompt")), ("trainer", _("trainer"))),
        required=False,
        help_text=_("What is held out: prompts that the model has not seen, or people."),
    )
    scrubs_personal_data = forms.BooleanField(
        label=_("Take out personal data"),
        required=False,
        help_text=_("E-mail addresses, phone and card numbers, IBANs, IP addresses. Names stay."),
    )
    includes_withheld = forms.BooleanField(
        label=_("With texts that are withheld"),
        required=False,
        help_text=_("Of labels; only an admin may ask for it. What the filter withheld is otherwise in no export."),
    )
    since = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("Up to"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    validation_percent = forms.IntegerField(label=_("Validation, %"), min_value=0, max_value=90, initial=10)
    test_percent = forms.IntegerField(label=_("Test, %"), min_value=0, max_value=90, initial=10)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._set_choices(
            "rounds", project.rounds.order_by("-number").annotate(name=F("number")).values_list("number", "name")
        )
        versions = project.guideline_versions.order_by("-version").annotate(name=F("version"))
        self._set_choices("guideline_versions", versions.values_list("version", "name"))
        self._set_choices("topics", ((topic, topic) for topic in topics_of(project)))
        people = User.objects.filter(memberships__project=project).order_by("pseudonym")
        self._set_choices("trainers", people.annotate(name=F("pseudonym")).values_list("pseudonym", "name"))

    def clean(self) -> dict[str, Any]:
        values = dict(super().clean() or {})
        values["format"] = values.get("format") or RECORDS
        self.filters = {name: value for name, value in values.items() if name not in ("kind", "format")}
        if "kind" in values:
            try:
                self.filters = read_filters(values["kind"], self.filters).encoded()
                find_format(values["format"], values["kind"])
            except (FilterError, ValueError) as error:
                raise forms.ValidationError(str(error)) from error
        return values

    def _set_choices(self, name: str, choices: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(choices)
        field.widget.attrs["size"] = min(6, max(2, len(field.choices)))


class OtherExportForm(forms.Form):
    """Choice of an earlier finished export of the same kind and project to compare with."""

    other = forms.ModelChoiceField(label=_("Compare with"), queryset=Export.objects.none(), empty_label=None)

    def __init__(self, *args: Any, export: Export, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = Export.objects.filter(project=export.project_id, kind=export.kind, state=Export.State.DONE)
        field = self.fields["other"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = others.filter(format=RECORDS, created_at__lt=export.created_at)
        field.label_from_instance = _label_of  # type: ignore[method-assign, assignment]

    @property
    def has_others(self) -> bool:
        field = self.fields["other"]
        assert isinstance(field, forms.ModelChoiceField)
        return field.queryset is not None and field.queryset.exists()


def _label_of(export: Export) -> str:
    """The label of an export in a list: when it was requested, its size and its filters."""
    return f"{moment(export.created_at)} · {export.num_records:,} · {filters_in_words(export.filters)}"


def topics_of(project: Project) -> list[str]:
    """Topics that occur in the project's prompts, dialogues, comparisons or thumbs."""
    found: set[str] = set()
    for rows in (project.prompts, project.dialogues, project.comparisons, project.thumbs):
        found.update(rows.exclude(topic="").order_by().values_list("topic", flat=True).distinct()[:200])
    return sorted(found)
