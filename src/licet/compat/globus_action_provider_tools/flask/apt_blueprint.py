"""``flask.apt_blueprint``.

The argument `provider_description` is given by name, as every seed does.
"""

from licet.actions.interface.blueprint import ActionProviderBlueprint

__all__ = ["ActionProviderBlueprint"]
