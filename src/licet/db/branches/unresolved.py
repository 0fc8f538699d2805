"""What stands in a generated revision where somebody has to decide."""

from licet.errors import UsageError

__all__ = ["Unresolved"]


class Unresolved(UsageError):
    """A generated revision is not complete: the text says what is to be written in its place."""

    code_name = "unresolved"
