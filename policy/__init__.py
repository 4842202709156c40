"""Where a reward becomes behaviour: supervised fine-tuning, PPO and best-of-n.

`objective` holds the formulas and nothing else; `ppo` is the loop that tells the paper.
"""

import language  # noqa: F401 - before torch: it says how threads wait
