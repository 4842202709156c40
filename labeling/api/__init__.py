"""The API, version 1: operations for programs that carry a token; knows no page and no rule of its own.

An operation is what a view is elsewhere: access, one domain call, an answer. docs/api.md says how it is used.
"""
