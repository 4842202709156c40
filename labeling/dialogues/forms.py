"""The forms of dialogues: starting one, a message, autosave, an edit, a turn of a chat, a review.

They check shape and size; who may do what, and whether a message fits its dialogue, is decided elsewhere.
"""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from labeling.models import Comment, Message, Project, Prompt
from labeling.web.form_fields import LONGEST_TEXT, FormWithProblems, ProseField, SecondsField, plain_line_ends

LATER_CHOICES = (
    ("keep", _("Keep later messages")),
    ("mark", _("Mark them for a second look")),
    ("regenerate", _("Have the policy answer anew")),
    ("delete", _("Remove them")),
)


class StartForm(forms.Form):
    prompt = forms.ModelChoiceField(queryset=Prompt.objects.none(), required=False)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["prompt"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Prompt.objects.in_use().filter(project=project)


class TopicsForm(forms.Form):
    topics = forms.MultipleChoiceField(
        label=_("Topics I like to write about"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, topics: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["topics"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(topic, topic) for topic in topics]


class MessageForm(FormWithProblems):
    role = forms.ChoiceField(choices=Message.Role.choices)
    content = ProseField(rows=5, label=_("Message"))
    completion = forms.UUIDField(required=False)  # the suggestion that the text began as
    seconds = SecondsField()


class ComposerForm(FormWithProblems):
    """Autosave of text that is not a message yet. It may be empty, since erasing must be saved too."""

    role = forms.ChoiceField(choices=Message.Role.choices)
    content = forms.CharField(strip=False, required=False, max_length=LONGEST_TEXT)
    completion = forms.UUIDField(required=False)
    version = forms.IntegerField(min_value=0)

    def clean_content(self) -> str:
        return plain_line_ends(self.cleaned_data["content"])


class EditForm(forms.Form):
    content = ProseField(rows=5, label=_("Message"))
    later = forms.ChoiceField(choices=LATER_CHOICES, initial="keep")
    seen = forms.CharField(required=False, max_length=64)  # content_digest of the text that was edited
    keep = forms.ChoiceField(choices=(("mine", ""), ("both", "")), required=False)  # how to resolve a conflict


class DraftsForm(FormWithProblems):
    """How many answers to sample for one turn of a chat."""

    num_drafts = forms.IntegerField(min_value=1, max_value=4, required=False)


class SayForm(DraftsForm):
    """The trainer's message in a chat, and how many answers to sample."""

    content = ProseField(rows=3, label=_("Your message"))
    seconds = SecondsField()


class ReturnForm(forms.Form):
    """It may be empty where there are comments on messages; labeling.dialogues.review requires one of the two."""

    comment = forms.CharField(
        label=_("What should change?"), required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 3})
    )


class CommentForm(FormWithProblems):
    text = ProseField(max_length=Comment.LONGEST, error_messages={"required": _("Say something of this message.")})
