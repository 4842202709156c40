"""Copies of everything that cannot be made again, and the ways back; knows no pages and no broker.

The broker is left out: its messages are hints, and the sweep sends them again.
"""
