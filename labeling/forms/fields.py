"""Form fields that several forms share."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

LONGEST_TEXT = 100_000  # characters of one message


class ProseField(forms.CharField):
    """A text exactly as its author sees it: spaces kept, line ends as they were typed, never blank.

    Browsers send line ends as CR LF. Kept so, a suggestion of two lines that was taken
    unchanged would count as edited.
    """

    def __init__(self, *, rows: int = 6, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", LONGEST_TEXT)
        kwargs.setdefault("widget", forms.Textarea(attrs={"rows": rows, "class": "reading"}))
        super().__init__(strip=False, **kwargs)

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value)).replace("\r\n", "\n").replace("\r", "\n")
        return text if text.strip() else ""


def language_choices() -> list[tuple[str, Any]]:
    from django.conf import settings

    return [(code, _(name)) for code, name in settings.LANGUAGES]
