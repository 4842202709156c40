"""How well people judge: each trainer's ability, and how far people agree. Standard library only.

Knows weak orders and nothing of rows, records or models: the platform shows these figures, and the reward model's
programs compute them anew from an export, so that both are made alike and neither has to trust the other's.
"""

from judging.abilities import Abilities, Ability, fit_abilities
from judging.agreement import Agreement, JudgeAgreement, PeopleAgreement, people_agreement
from judging.weak_orders import WeakOrder

__all__ = [
    "Abilities",
    "Ability",
    "Agreement",
    "JudgeAgreement",
    "PeopleAgreement",
    "WeakOrder",
    "fit_abilities",
    "people_agreement",
]
