"""Where in a request a fault is: a member of the body, a parameter, or a header."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FieldError", "json_pointer"]


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """One fault of a request, and its place.

    `pointer` is a JSON pointer into the body ("" is all of it), `parameter` the name of a query
    parameter, `header` that of a header; one of them is given. `detail` is for people.

    Source: RFC 6901 (pointer); RFC 9457 section 3 (``errors``); JSON:API 1.1 (``source``).
    """

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None

    def as_dict(self) -> dict[str, str]:
        """The entry of a problem document, whose pointer is a URI fragment."""
        return {"detail": self.detail, **self.source(pointer_prefix="#")}

    def source(self, *, pointer_prefix: str = "") -> dict[str, str]:
        """The place alone; JSON:API's ``source`` object."""
        if self.pointer is not None:
            return {"pointer": f"{pointer_prefix}{self.pointer}"}
        if self.parameter is not None:
            return {"parameter": self.parameter}
        return {} if self.header is None else {"header": self.header}


def json_pointer(*parts: object) -> str:
    """The pointer to the member that these names and indexes lead to.

    Source: RFC 6901 section 3.
    """
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)
