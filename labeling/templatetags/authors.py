"""The template filter `author_for`: who wrote a dialogue, as far as its reader may know."""

from django import template
from django.utils.translation import gettext as _

from labeling.models import Dialogue, User

register = template.Library()


@register.filter
def author_for(dialogue: Dialogue, reader: User) -> str:
    """The author's name, empty for an imported dialogue; in a blind review a word that stands for every name."""
    if dialogue.author_id is None:
        return ""
    return _("name kept back") if dialogue.hides_author_from(reader) else str(dialogue.author)
