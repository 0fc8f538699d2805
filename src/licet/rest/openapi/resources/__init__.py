"""JSON:API's endpoints: their operations, their documents as schemas, and an example of each."""

from licet.rest.openapi.resources.operations import describe_resource

__all__ = ["describe_resource"]
