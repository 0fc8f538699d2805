"""Fails where a package of an extra is installed: `make test-bare` would prove nothing there."""

import sys
from importlib.util import find_spec

from unit.test_extras import PACKAGES

found = sorted(name for names in PACKAGES.values() for name in names if find_spec(name))
if found:
    sys.exit(f"Packages of extras are installed: {', '.join(found)}.")
