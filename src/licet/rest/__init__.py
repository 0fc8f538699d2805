"""HTTP in and out. What is allowed is `licet.authz`'s."""

from typing import TYPE_CHECKING

from licet.errors._lazy import lazy_names

if TYPE_CHECKING:
    from licet.authz._requires_auth import requires_auth
    from licet.authz.declared.marks import public
    from licet.rest.endpoints.answers import ListPage, marshal_response
    from licet.rest.endpoints.bodies import unmarshal_request
    from licet.rest.endpoints.lookups import with_lookup
    from licet.rest.endpoints.pages import list_page
    from licet.rest.endpoints.queries import use_args, use_args_with_pagination
    from licet.rest.problems import install_problem_handler, problem_response
    from licet.rest.schemas.reading import ModelSchema, schema_for
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "licet.authz._requires_auth": "requires_auth",
            "licet.authz.declared.marks": "public",
            "licet.rest.endpoints.answers": "ListPage marshal_response",
            "licet.rest.endpoints.bodies": "unmarshal_request",
            "licet.rest.endpoints.lookups": "with_lookup",
            "licet.rest.endpoints.pages": "list_page",
            "licet.rest.endpoints.queries": "use_args use_args_with_pagination",
            "licet.rest.problems": "install_problem_handler problem_response",
            "licet.rest.schemas.reading": "ModelSchema schema_for",
        },
    )

__all__ = [
    "ListPage",
    "ModelSchema",
    "install_problem_handler",
    "list_page",
    "marshal_response",
    "problem_response",
    "public",
    "requires_auth",
    "schema_for",
    "unmarshal_request",
    "use_args",
    "use_args_with_pagination",
    "with_lookup",
]
