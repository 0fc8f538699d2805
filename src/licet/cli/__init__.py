"""The command line: ``licet action``, ``audit``, ``db``, ``serve``, ``token``."""

from licet.cli.main import main

__all__ = ["main"]
