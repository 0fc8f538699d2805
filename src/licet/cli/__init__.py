"""The command line: ``licet token``, ``licet action``, ``licet serve``, ``licet db``."""

from licet.cli.main import main

__all__ = ["main"]
