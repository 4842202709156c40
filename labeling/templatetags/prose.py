"""The template filters `prose`, Markdown of people and models as safe HTML, and `raw`, the text as it is stored."""

from django import template
from django.utils.safestring import SafeString

from labeling.web.markdown import render_prose, render_raw

register = template.Library()


@register.filter
def prose(text: object) -> SafeString:
    return render_prose(str(text))


@register.filter
def raw(text: object) -> SafeString:
    return render_raw(str(text))
