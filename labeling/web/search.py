"""The search of lists whose rows hold messages as JSON: words in what was said, not in roles or in JSON's marks.

Words are found literally, whatever their case. No index serves this: a search reads the project's rows until a page is
full.
"""

import json
from typing import Any

from django.db.models import BooleanField, Case, F, Func, QuerySet, TextField, Value, When
from django.db.models.lookups import IContains


def with_words_in_messages(rows: QuerySet[Any], words: str) -> QuerySet[Any]:
    """The rows with a message in whose content the words stand one after the other."""
    as_json = json.dumps(words, ensure_ascii=False)
    # LIKE over the contents as JSON is the faster of the two, and finds too much: an n in "\n", which is a line end.
    # CASE keeps the order, since by their costs the planner would begin with the slower. From the LIKE that stands
    # alone it learns how rare a match is; without that it reads the rows one by one in order, in twice the time.
    may_be = IContains(_contents_as_json(), as_json[1:-1])
    is_said = Case(When(may_be, then=_is_said(as_json)), default=Value(False), output_field=BooleanField())
    return rows.filter(may_be).filter(is_said)


def _contents_as_json() -> Func:
    path = "jsonb_path_query_array(%(expressions)s, '$[*].content')::text"
    return Func(F("messages"), template=path, output_field=TextField())


def _is_said(as_json: str) -> Func:
    """Whether a content matches; with the flag q no character is special. A jsonpath's strings are as JSON's."""
    path = Value(f'$[*].content ? (@ like_regex {as_json} flag "iq")')
    template = "(%(expressions)s::jsonpath)"
    return Func(F("messages"), path, template=template, arg_joiner=" @? ", output_field=BooleanField())
