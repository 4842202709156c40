"""Where a reward becomes behaviour: supervised fine-tuning, PPO and best-of-n.

`objective` holds the formulas and nothing else; `ppo` is the loop that tells the paper.
"""
