"""``allows``: the extension, and the current app's."""

from typing import Any

from licet.authn.identity import Identity
from licet.authz.requirements.allows import Allows as _Allows
from licet.authz.requirements.allows import allows

__all__ = ["Allows", "allows"]


class Allows(_Allows):
    """As the original, 403 for everybody who may not pass and comes of the program's own loader."""

    def _is_nobody(self, loaded: Any) -> bool:
        return isinstance(loaded, Identity) and not loaded.is_authenticated
