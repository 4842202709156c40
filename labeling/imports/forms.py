"""Forms of imports: what to bring in, and whether to take it in."""

from collections import Counter
from typing import Any, cast

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from labeling.imports.detection import Kind, names_of
from labeling.imports.report import shown
from labeling.models import Import


class UploadForm(forms.Form):
    """A file and what to take from it."""

    INTO = (
        ("dialogues", _("Dialogues, accepted as they are")),
        ("prompts", _("Only their openings, into the pool of prompts")),
        ("rankings", _("Rankings with their completions")),
        ("thumbs", _("Thumbs, each on one answer")),
    )

    file = forms.FileField(
        label=_("File"),
        help_text=_("JSON Lines, JSON, CSV or TSV, gzip or not, or Parquet: Open-Assistant, Anthropic HH, trl, chat "
                    "messages, ShareGPT, Alpaca, Dolly, UltraFeedback, arena battles, Label Studio, Argilla, "
                    "KTO, Open WebUI, Parley's own records and more. What other columns mean can be said then."),
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
        into = str(self.cleaned_data["into"])
        return Import.Kind.DIALOGUES if into == "prompts" else Import.Kind(into)


class ConfirmImportForm(forms.Form):
    skips_bad_lines = forms.BooleanField(
        label=_("Leave bad lines out"),
        required=False,
        help_text=_("Otherwise one bad line stops the whole file, and nothing is imported."),
    )


# What a column may be told to mean. The formats' own names; with them, detection finds the format.
_MEANINGS = {
    Import.Kind.DIALOGUES: (
        "prompt", "completion", "system", "context", "messages", "history", "label", "category", "source",
    ),
    Import.Kind.THUMBS: (
        "prompt", "completion", "system", "context", "messages", "label", "rating", "reason", "comment", "model",
    ),
    Import.Kind.RANKINGS: (
        "prompt", "chosen", "rejected", "system", "context", "response_a", "response_b", "winner", "model_a", "model_b",
        "score_a", "score_b", "score_chosen", "score_rejected", "responses", "scores", "ranks", "annotator", "category",
        "source",
    ),
}  # fmt: skip
_AS_IT_IS, _PASS_OVER = "=", ""


class ReadDifferentlyForm(forms.Form):
    """Which format a file is in, and what its names mean. `first` has those in the file, with their first values."""

    def __init__(self, *args: Any, kind: str, first: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        formats = [(name, name) for name in names_of(cast(Kind, kind))]
        self.fields["format"] = forms.ChoiceField(label=_("Format"), choices=[("auto", _("find out")), *formats])
        self._names = {f"column-{number}": name for number, name in enumerate(first)}
        meanings = [(name, name) for name in _MEANINGS[Import.Kind(kind)]]
        choices = [(_AS_IT_IS, _("as it is called")), (_PASS_OVER, _("pass over")), *meanings]
        for field, name in self._names.items():
            self.fields[field] = forms.ChoiceField(
                label=name, choices=choices, required=False, initial=_AS_IT_IS, help_text=shown(first[name])
            )

    @property
    def column_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self._names]

    def columns(self) -> dict[str, str]:
        """What each name means that does not mean itself."""
        given = {name: self.cleaned_data[field] for field, name in self._names.items() if field in self.cleaned_data}
        return {name: meaning for name, meaning in given.items() if meaning != _AS_IT_IS}

    def clean(self) -> dict[str, Any]:
        """Two columns with one meaning would each take the other's place."""
        columns = self.columns()
        taken = Counter(
            [*(name for name in self._names.values() if name not in columns), *filter(None, columns.values())]
        )
        for meaning, num in taken.items():
            if num > 1:
                raise forms.ValidationError(_("Two columns mean “%(name)s”; one can.") % {"name": meaning})
        return self.cleaned_data
