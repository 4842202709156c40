"""The one place that acts on what a content filter sees: nothing that is said is answered, and nothing that is answered
is shown, before a filter has seen it. Every way out of this worker goes through sampler.screening.door.
"""
