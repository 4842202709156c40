"""The template filter `prose`: Markdown of people and models as safe HTML."""

from django import template
from django.utils.safestring import SafeString

from labeling.web.markdown import render_prose

register = template.Library()


@register.filter
def prose(text: object) -> SafeString:
    return render_prose(str(text))
