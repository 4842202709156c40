"""Template filters for points in time and durations. They are builtins: no template loads them.

`date` is left for machines, as `date:"c"` in <time datetime>.
"""

from django import template

from labeling.web import times

register = template.Library()
for one in (times.moment, times.day, times.clock, times.duration):
    register.filter(one.__name__, one)
