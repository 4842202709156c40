"""The documented preference that stands in for people; standard library only, no Django."""
