"""JSON:API's endpoints, described from their resources, with an example of each."""

from licet.rest.openapi.resources.operations import describe_resource, shown_by

__all__ = ["describe_resource", "shown_by"]
