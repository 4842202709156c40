"""Who comes first where requests wait: those who work here, then a preview's visitors, then overnight work."""

from enum import IntEnum


class Lane(IntEnum):
    PEOPLE = 0  # they join at once
    VISITORS = 1  # they join where nobody of PEOPLE waits and there is room
    OVERNIGHT = 2  # it joins where there is room, and always one of it if others fill the room for long

    @classmethod
    def of(cls, *, urgent: bool, is_visitors: bool) -> "Lane":
        """Of a request that somebody waits for, or nobody."""
        if not urgent:
            return cls.OVERNIGHT
        return cls.VISITORS if is_visitors else cls.PEOPLE
