"""Forms of imports: what to bring in, and whether to take it in."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from labeling.models import Import


class UploadForm(forms.Form):
    """A file and what to take from it."""

    INTO = (
        ("dialogues", _("Dialogues, accepted as they are")),
        ("prompts", _("Only their openings, into the pool of prompts")),
        ("rankings", _("Rankings with their completions")),
    )

    file = forms.FileField(
        label=_("File"),
        help_text=_("JSON Lines or JSON, gzip or not: Open-Assistant, Anthropic HH, trl, chat messages, ShareGPT, "
                    "Alpaca, Dolly, chitchat, UltraFeedback, Label Studio, Argilla, or Parley's own records."),
    )  # fmt: skip
    into = forms.ChoiceField(label=_("Take in"), choices=INTO, widget=forms.RadioSelect, initial="dialogues")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        too_large = _("Files of more than %(n)d MB are imported with manage.py.") % {
            "n": settings.LARGEST_UPLOAD // 2**20
        }
        self.fields["file"].widget.attrs |= {"data-largest": settings.LARGEST_UPLOAD, "data-too-large": too_large}

    @property
    def kind(self) -> str:
        return Import.Kind.RANKINGS if self.cleaned_data["into"] == "rankings" else Import.Kind.DIALOGUES


class ConfirmImportForm(forms.Form):
    skips_bad_lines = forms.BooleanField(
        label=_("Leave bad lines out"),
        required=False,
        help_text=_("Otherwise one bad line stops the whole file, and nothing is imported."),
    )
