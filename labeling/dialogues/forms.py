"""Forms of writing and chatting: one message, one edit, one autosave, one answer chosen."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from labeling.models import Message, Project, Prompt
from labeling.web.form_fields import LONGEST_TEXT, FormWithProblems, ProseField, SecondsField, plain_line_ends

LATER_CHOICES = (
    ("keep", _("Keep later messages")),
    ("mark", _("Mark them for a second look")),
    ("regenerate", _("Have the policy answer anew")),
    ("delete", _("Remove them")),
)


class MessageForm(FormWithProblems):
    role = forms.ChoiceField(choices=Message.Role.choices)
    content = ProseField(rows=5, label=_("Message"))
    completion = forms.UUIDField(required=False)  # the suggestion it was begun from
    seconds = SecondsField()


class EditForm(forms.Form):
    content = ProseField(rows=5, label=_("Message"))
    later = forms.ChoiceField(choices=LATER_CHOICES, initial="keep")
    seen = forms.CharField(required=False, max_length=64)  # the mark of the text that the change began from
    keep = forms.ChoiceField(choices=(("mine", ""), ("both", "")), required=False)  # of two texts of one message


class ComposerForm(FormWithProblems):
    """Text not yet a message. Unlike a message it may be empty: erasing is work as well."""

    role = forms.ChoiceField(choices=Message.Role.choices)
    content = forms.CharField(strip=False, required=False, max_length=LONGEST_TEXT)
    completion = forms.UUIDField(required=False)
    version = forms.IntegerField(min_value=0)

    def clean_content(self) -> str:
        return plain_line_ends(self.cleaned_data["content"])


class StartForm(forms.Form):
    prompt = forms.ModelChoiceField(queryset=Prompt.objects.none(), required=False)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["prompt"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Prompt.objects.in_use().filter(project=project)


class DraftsForm(FormWithProblems):
    """How many answers are sampled for one turn of a chat."""

    num_drafts = forms.IntegerField(min_value=1, max_value=4, required=False)


class SayForm(DraftsForm):
    """What the trainer says in a chat."""

    content = ProseField(rows=3, label=_("Your message"))
    seconds = SecondsField()


class TopicsForm(forms.Form):
    topics = forms.MultipleChoiceField(
        label=_("Topics I like to write about"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, topics: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["topics"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(topic, topic) for topic in topics]


class ReturnForm(forms.Form):
    comment = forms.CharField(
        label=_("What should change?"),
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": _("Say what should change, so that its author can mend it.")},
    )
