"""``allows``: the extension, and the current app's."""

from functools import cached_property
from typing import Any

from flask import Flask, Response

from licet.authn.identity import Identity
from licet.authz.requirements._contexts import end_all_of, no_context_is_open
from licet.authz.requirements.allows import Allows as _Allows
from licet.authz.requirements.allows import allows
from licet.authz.requirements.changes import Additional, AdditionalManager

__all__ = ["Allows", "allows"]


class _AfterResponse(AdditionalManager):
    """The additions that checks still ask when their contexts have ended with the response."""

    kind = "after the response"  # so that the stack of additions does not show them


class Allows(_Allows):
    """As the original: contexts end with the response, and whoever may not pass is answered 403.

    An identity of licet's own that is not signed in is answered 401. Additions are not lifted by
    the end of their context: checks in later ``after_request`` functions and in streams ask them.
    """

    def init_app(self, app: Flask) -> None:
        """Attach to the app."""
        super().init_app(app)

        @app.after_request
        def end_contexts(response: Response) -> Response:
            if not no_context_is_open():
                self._end_with_response()
            return response

    def _end_with_response(self) -> None:
        overridden = self.overrides.current or ()
        left = [one for one in self.additional.current or () if one not in overridden]
        end_all_of(self.overrides)
        end_all_of(self.additional)
        if left:
            self._after_response.push(Additional(*left), use_parent=True)

    @cached_property
    def _after_response(self) -> _AfterResponse:
        return _AfterResponse()

    def _additions(self) -> Additional | None:
        now, left = super()._additions(), self._after_response.current
        return now + left if now and left else now or left

    def _is_nobody(self, loaded: Any) -> bool:
        return isinstance(loaded, Identity) and not loaded.is_authenticated
