"""Forms of the filter's rules and of filters that are servers."""

from collections.abc import Iterator, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from labeling.models import Filter, Screening
from labeling.safety.rules import Rule

MODE_WORDS = (("own", _("the filter’s own")), ("off", _("off")), ("shadow", _("in shadow")), ("on", _("on")))
LONGEST_NOTE = 300


class RulesForm(forms.Form):
    """A line for each category and side, with the version that was shown, so that none is overwritten unseen."""

    is_on = forms.BooleanField(label=_("Texts of this project are screened"), required=False)
    note = forms.CharField(label=_("Why"), max_length=LONGEST_NOTE, required=False)
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    def __init__(self, values: Any = None, *, shown: Sequence[Rule], initial: dict[str, Any]) -> None:
        super().__init__(values, initial=initial, auto_id="rules-%s")
        self._shown = shown
        for rule in shown:
            if not rule.is_fixed:
                self._add_fields(rule)

    def _add_fields(self, rule: Rule) -> None:
        side = dict(Screening.Side.choices)[rule.side].lower()
        for name, label, field in (
            ("mode", _("Mode"), forms.ChoiceField(choices=MODE_WORDS, initial=rule.mode)),
            ("warn", _("Warns at"), _probability(rule.warn_at)),
            ("block", _("Blocks at"), _probability(rule.block_at)),
        ):
            field.label = label
            field.widget.attrs["aria-label"] = f"{label}: {rule.name}, {side}"
            self.fields[_name(name, rule)] = field

    @property
    def lines(self) -> Iterator[dict[str, Any]]:
        """Each rule with its three fields, for the table."""
        for rule in self._shown:
            names = () if rule.is_fixed else ("mode", "warn", "block")
            fields = {name: self[_name(name, rule)] for name in names}
            yield {"rule": rule, "side": dict(Screening.Side.choices)[rule.side], **fields}

    @property
    def rules(self) -> list[Rule]:
        """What was sent, once it is valid."""
        return [rule if rule.is_fixed else self._given(rule) for rule in self._shown]

    def _given(self, rule: Rule) -> Rule:
        mode, warn_at, block_at = (self.cleaned_data[_name(name, rule)] for name in ("mode", "warn", "block"))
        return Rule(category=rule.category, side=rule.side, mode=mode, warn_at=warn_at, block_at=block_at)


def _probability(initial: float | None) -> forms.FloatField:
    widget = forms.NumberInput(attrs={"step": "any", "min": "0", "max": "1"})
    return forms.FloatField(required=False, min_value=0, max_value=1, initial=initial, widget=widget)


def _name(what: str, rule: Rule) -> str:
    return f"{what}-{rule.category}-{rule.side}"


class ServedFilterForm(forms.Form):
    """A server that judges texts."""

    name = forms.SlugField(label=_("Name"), max_length=100)
    backend = forms.ChoiceField(label=_("Kind of server"), choices=[*Filter.Backend.choices[1:]])
    url = forms.CharField(label=_("Address"), max_length=300, help_text=_("Such as https://host:8000/v1."))
    model = forms.CharField(label=_("Model"), max_length=300, help_text=_("By the server’s own name."))


class PromotionForm(forms.Form):
    """What is to become of a filter, and why."""

    to = forms.ChoiceField(choices=Filter.State.choices)
    why = forms.CharField(label=_("Why"), max_length=LONGEST_NOTE, required=False)
