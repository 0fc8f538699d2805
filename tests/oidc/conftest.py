"""The ``licet`` command, as the tests of the command line run it."""

from tests.unit.cli.conftest import licet

__all__ = ["licet"]
