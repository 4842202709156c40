"""What a person who takes a step of the loop is told where it cannot be taken."""


class RoundError(ValueError):
    """A step of the loop that cannot be taken; the message is for the person who tried."""
