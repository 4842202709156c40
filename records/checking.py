"""How a record complains of a field that makes no sense."""


def require(condition: bool, name: str, complaint: str) -> None:  # noqa: FBT001 (reads as an assertion)
    """Raise ValueError that names the field, unless the condition holds."""
    if not condition:
        raise ValueError(f'"{name}" {complaint}')
