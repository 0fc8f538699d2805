"""``testing.fixtures``: the same that licet's pytest plugin offers everywhere.

A test module that imports them from here gets the plugin's, which work at any scope and end with
the test that asked for them; the original's `flask_helpers_noauth` stays on for the whole session.
"""

from licet.testing.plugin import apt_blueprint_noauth, flask_helpers_noauth

__all__ = ["apt_blueprint_noauth", "flask_helpers_noauth"]
