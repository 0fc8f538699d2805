"""``allows``: the extension, and the current app's."""

from licet.authz.requirements.allows import Allows, allows

__all__ = ["Allows", "allows"]
