"""The API, version 1: the platform's own functions and access rules, for programs that carry a token.

An operation is what a view is elsewhere: access, one domain call, an answer. docs/api.md says how it is used.
"""
