"""The REST API, version 1: operations for programs that carry a token; knows no page and has no rules of its own.

An operation has the beats of a view: access, one domain call, a response. docs/api.md describes its use.
"""
