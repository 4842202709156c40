"""Form fields and base forms that several rooms share."""

from typing import Any

from django import forms

LONGEST_TEXT = 100_000  # characters of one message
LONGEST_SITTING = 4 * 3600  # seconds; nobody spends longer on one message
_MOST_DIGITS = 9


class ProseField(forms.CharField):
    """A text exactly as its author sees it: spaces are kept, line ends become LF, and a blank text counts as empty.

    Browsers send line ends as CR LF; with those, a suggestion of two lines that was taken unchanged would
    count as edited.
    """

    def __init__(self, *, rows: int = 6, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", LONGEST_TEXT)
        kwargs.setdefault("widget", forms.Textarea(attrs={"rows": rows, "class": "reading"}))
        super().__init__(strip=False, **kwargs)

    def to_python(self, value: Any) -> str:
        text = plain_line_ends(str(super().to_python(value)))
        return text if text.strip() else ""


class SecondsField(forms.FloatField):
    """Seconds spent, counted by the browser; 0 if it has no JavaScript."""

    def __init__(self) -> None:
        super().__init__(required=False, min_value=0, max_value=LONGEST_SITTING)

    def clean(self, value: Any) -> float:
        return super().clean(value) or 0.0


def whole_number(text: str) -> int | None:
    """A number of a query, such as a page's; None where it is none that could be meant."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None


class FormWithProblems(forms.Form):
    """A form whose errors are shown together, beside the composer, not at each field."""

    def problems(self) -> str:
        return " ".join(str(problem) for problems in self.errors.values() for problem in problems)


class TextForm(forms.Form):
    """A text to preview as Markdown."""

    text = forms.CharField(strip=False, required=False, max_length=LONGEST_TEXT)


def plain_line_ends(text: str) -> str:
    """The text with LF line ends, as messages store it. A browser sends an unchanged text with other line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
