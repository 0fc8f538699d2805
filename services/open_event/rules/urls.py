"""Every attribute that is a URL is one of the web, so that no page of a client runs a script."""

from __future__ import annotations

from typing import Any

from licet.rest.jsonapi import Resource
from services.open_event.resources import RESOURCES

from .refusals import invalid, is_changed, refuse

ALSO = ("website", "twitter", "facebook", "github", "linkedin")


def check_urls_of(resource: Resource) -> None:
    """Have the URLs of a resource checked whenever they are written."""
    names = [one for one in resource.attributes if one.endswith("url") or one in ALSO]
    if not names:
        return

    @resource.before_create
    @resource.before_update
    def check(owner: Any) -> None:
        refuse(
            *(
                invalid(name, f"{name.replace('_', '-')} must be a URL: https://…")
                for name in names
                if is_changed(owner, name) and is_wrong(getattr(owner, name))
            )
        )


def is_wrong(url: str | None) -> bool:
    return url not in (None, "") and not str(url).startswith(("https://", "http://"))


for one in RESOURCES:
    check_urls_of(one)
