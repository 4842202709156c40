"""The options of sampling by a server: PPO and RLOO take them alike.

IMPALA is Espeholt et al. 2018 (arXiv 1802.01561); TIS is Yao et al. 2025, "Your Efficient RL Framework Secretly
Brings You Off-Policy RL Training".
"""

from dataclasses import dataclass
from pathlib import Path

from language.options import KeepsWork, OptionError, require_positive
from policy.rollout_server import problem_with_address


@dataclass(frozen=True, kw_only=True)
class SampledElsewhere(KeepsWork):
    """Where rollouts are sampled, and what may be different there."""

    rollouts: str = ""
    """Address of a vLLM server that samples, as http://host:8000; the engine of this program unless given. It is this
    run's alone: its weights are replaced before every update."""
    rollouts_folder: Path | None = None
    """Where weights are written for the server, which must see this folder under the same path; <work>/rollouts unless
    given."""
    rollouts_weight_cap: float = 2.0
    """Most that a token or a completion counts for being likelier to us than to the server; 0 weighs nothing. The
    truncated importance weight of IMPALA, for samplers that compute otherwise in TIS. Never in use without a server."""
    rollouts_max_gap: float = 0.1
    """Nats: stop where our log-probabilities of sampled tokens lie further than this from the server's, on the mean."""
    rollouts_patience: float = 900.0
    """Seconds in which a server that is away, restarts or loads may come back before the run ends."""

    @property
    def weights_folder(self) -> Path:
        """Where versions of the weights are written for the server."""
        return (self.rollouts_folder or self.work_directory / "rollouts").absolute()


def require_server_options(config: SampledElsewhere) -> None:
    """Refuse an address that is none, and limits without sense."""
    if config.rollouts and (problem := problem_with_address(config.rollouts)):
        raise OptionError(f"--rollouts {config.rollouts}: {problem}")
    if not config.rollouts and config.rollouts_folder is not None:
        raise OptionError("--rollouts-folder is where a server finds weights; give --rollouts too, or leave it out")
    require_positive(config, "rollouts_max_gap", "rollouts_patience")
