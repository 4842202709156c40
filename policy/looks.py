"""The watch within a run: its looks are a part of the run's state, the best weights are kept, a stop is suggested."""

from language.parallel import ALONE, Sharing
from language.progress import Progress
from language.training_state import TrainingState
from policy.disagreements import write_disagreements
from policy.ensembles import RewardSource
from policy.inputs import RolloutConfig
from policy.learner import PolicyLearner
from policy.material import Material
from policy.watch import facts_of, has_turned, keep_if_best, looks_of, suggestion


def look(
    policy: PolicyLearner,
    rewards: RewardSource,
    material: Material,
    config: RolloutConfig,
    state: TrainingState,
    progress: Progress,
    sharing: Sharing = ALONE,
) -> dict[str, float]:
    """What the watching reward model says of the policy now, and words where a stop is suggested; nothing unwatched.

    All processes call it, and share the prompts.
    """
    if material.watch is None:
        return {}
    looks = [*looks_of(state.facts["looks"]), material.watch.look(policy, rewards, state.step, sharing)]
    state.facts["looks"] = facts_of(looks)
    if sharing.is_main:
        write_disagreements(config.work_directory, [(one.update, one.disagreements) for one in looks])
    keep_if_best(
        looks,
        policy,
        material.tokenizer,
        config.work_directory,
        base=config.policy,
        trainable=config.trainable,
        sharing=sharing,
    )
    turned = has_turned(looks)
    if turned:
        progress.say(suggestion(looks, config.work_directory))
    return {**looks[-1].metrics(looks[0]), "stop_suggested": float(turned)}
