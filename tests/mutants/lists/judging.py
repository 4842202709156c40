"""How well people judge: weak orders, abilities, how far people agree, and what they are used for."""

from tests.mutants.mutant import planter, platform_planter

_orders = planter("judging/tied_orders.py", "tests/judging/test_tied_orders.py")
_abilities = planter("judging/abilities.py", "tests/judging/test_abilities.py")
_agreement = planter("judging/agreement.py", "tests/judging/test_agreement.py")
_measured = platform_planter("quality/judging.py", "quality/test_judging.py")
_votes = platform_planter("imports/formats/votes.py", "imports/test_votes.py")

MUTANTS = [
    _orders(
        "a tie of two is as likely as one of three",
        "tuple(len(one) - 1 for one in members)", "tuple(min(len(one) - 1, 1) for one in members)"),
    _abilities("abilities are not fixed to average 1", "        _fix_scale(blocks, everybody, priors)", "        pass"),
    _agreement("one's own vote is among the others", "others = everybody - vote", "others = everybody"),
    _agreement("people are not drawn anew", "times *= of_person[person]", "times *= 1"),
    _agreement("prompts are not drawn anew", "times = of_prompt[prompt]", "times = 1"),
    _measured("the simulated trainer is among the people", ".exclude(trainer__is_simulated=True)", ""),
    _measured("little is shown as if it were much", "if one.num_rankings >= FEWEST", ""),
    _votes("a person may vote twice on a pair", "if person in seen:", "if False:"),
    planter("rewardmodel/train.py", "tests/rewardmodel/test_trainer_weights.py")(
        "trainers are weighed and the loss does not hear of it",
        "return losses * pairs.weights.to(losses)", "return losses"
    ),
]  # fmt: skip
