"""The form for a new webhook, and the labels of the events that it may choose."""

from collections.abc import Iterable

from django import forms
from django.utils.translation import gettext_lazy as _

from labeling.models import Webhook

EVENTS = {
    Webhook.Event.COMPARISON_COMPLETED.value: _("A comparison has all its rankings"),
    Webhook.Event.EXPORT_READY.value: _("An export is done"),
    Webhook.Event.ROUND_FINISHED.value: _("A round has closed"),
    Webhook.Event.SCREENING_BLOCKED.value: _("The content filter has blocked a text"),
    Webhook.Event.REPORT_OPENED.value: _("Somebody reported an output"),
    Webhook.Event.APPEAL_OPENED.value: _("A person appealed against the filter"),
}


class WebhookForm(forms.Form):
    url = forms.URLField(
        label=_("Address"),
        max_length=500,
        assume_scheme="https",
        widget=forms.URLInput(attrs={"placeholder": "https://", "autocomplete": "off"}),
    )
    events = forms.MultipleChoiceField(
        label=_("It is told when"), choices=list(EVENTS.items()), widget=forms.CheckboxSelectMultiple
    )


def event_labels(events: Iterable[str]) -> list[str]:
    """The labels of these events."""
    return [str(EVENTS.get(event, event)) for event in events]
