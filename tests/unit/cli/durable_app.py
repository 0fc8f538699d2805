"""An app with a durable action, for the command line."""

from flask import Flask

from licet import Licet
from licet.actions import ActionProviderBlueprint, ActionProviderDescription


def create_app() -> Flask:
    blueprint = ActionProviderBlueprint(
        "unit",
        __name__,
        url_prefix="/unit",
        provider_description=ActionProviderDescription(
            globus_auth_scope="s", title="t", admin_contact="c", synchronous=False, input_schema={}
        ),
    )
    blueprint.durable(lease_seconds=0.6)(lambda action, body: {"attempt": action.attempt})
    app = Flask(__name__)
    Licet(app)
    app.register_blueprint(blueprint)
    return app
