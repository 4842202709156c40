"""A scalar for a whole completion, learned from people's rankings. A library with a command line.

It knows records and language models; it knows neither the platform nor what a policy is.
"""

import language  # noqa: F401 - before torch: it says how threads wait
