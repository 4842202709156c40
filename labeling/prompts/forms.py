"""Forms of the near-duplicates page: the decision on one pair, and a similarity from which pairs are retired."""

from django import forms
from django.utils.translation import gettext_lazy as _

from labeling.prompts.near_duplicates import MIN_SIMILARITY


class DecisionForm(forms.Form):
    RETIRE_EARLIER, RETIRE_LATER, KEEP_BOTH = "earlier", "later", "both"

    decision = forms.ChoiceField(
        choices=((RETIRE_EARLIER, RETIRE_EARLIER), (RETIRE_LATER, RETIRE_LATER), (KEEP_BOTH, KEEP_BOTH))
    )


class ThresholdForm(forms.Form):
    """The similarity (cosine) from which on the later prompt of every pair is retired."""

    at_least = forms.FloatField(label=_("Similarity at least"), min_value=MIN_SIMILARITY, max_value=1.0, initial=0.98)
