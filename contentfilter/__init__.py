"""The content filter: how likely a text is sexual, hateful, violent …, learned from people's labels.

A library with a command line (`contentfilter.train`, `contentfilter.evaluate`). It knows content, not harm: a request
for harm in harmless words passes it. Knows neither the platform nor what is done about a text.
"""
