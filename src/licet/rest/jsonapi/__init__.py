"""JSON:API 1.1: resources from models and policies."""

from licet.rest.jsonapi.flask import JsonApi
from licet.rest.jsonapi.resource import Resource, ToMany, ToOne

__all__ = ["JsonApi", "Resource", "ToMany", "ToOne"]
