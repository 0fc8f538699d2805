"""Settings that are put into ``app.config`` too late: after licet has read them.

They would be ignored in silence, and the default of ``LICET_EMBEDDED_ISSUER`` accepts tokens.
"""

from __future__ import annotations

import functools
from typing import Any

from flask import Flask

from licet.errors import ConfigurationError
from licet.settings.state import app_state, licet_values

__all__ = ["refuse_late_settings", "refuse_late_settings_at_first_request"]


def refuse_late_settings(app: Flask) -> None:
    """Refuse ``LICET_*`` values that were set, changed or removed since licet read `app.config`.

    Raises:
        ConfigurationError: there are some; it has their names, and never a value.
    """
    read, now = app_state(app).config_read, licet_values(app)
    absent = object()
    late = sorted(n for n in read.keys() | now.keys() if read.get(n, absent) != now.get(n, absent))
    if late:
        raise ConfigurationError(
            f"{', '.join(late)} of app.config was changed after licet had read it, so that the "
            "change has no effect: set it before Licet(app), register_policies(app, …) and every "
            "other call that gives the app to licet."
        )


def refuse_late_settings_at_first_request(app: Flask) -> None:
    """Have `refuse_late_settings` look when the first request comes, and until it finds nothing.

    A refused request is an error 500 whose reason is in the log; under ``TESTING`` it is raised.
    """
    dispatch = app.full_dispatch_request
    is_done = False

    @functools.wraps(dispatch)
    def look_and_dispatch(*args: Any, **kwargs: Any) -> Any:
        nonlocal is_done
        if not is_done:
            refuse_late_settings(app)
            is_done = True
            if app.full_dispatch_request is look_and_dispatch:  # spare later requests
                app.full_dispatch_request = dispatch  # type: ignore[method-assign]  # as it was
        return dispatch(*args, **kwargs)

    # An error here is not one that the app's own handlers may answer as if a view had raised it.
    app.full_dispatch_request = look_and_dispatch  # type: ignore[method-assign]  # meant
