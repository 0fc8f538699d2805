"""Streamed responses: their parts are made when the request is over, under its contexts."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from types import GeneratorType
from typing import Any, Self

from flask import Flask, Response

from licet.authz.requirements._contexts import StreamContexts

__all__ = ["hold_while_streaming"]


def hold_while_streaming(app: Flask) -> None:
    """Keep the contexts of each request in force while its response is streamed."""
    process_response = app.process_response

    @functools.wraps(process_response)
    def process_and_hold(*args: Any, **kwargs: Any) -> Response:
        return _held(process_response(*args, **kwargs))  # when all of after_request has been called

    app.process_response = process_and_hold  # type: ignore[method-assign]  # this app's only


def _held(response: Response) -> Response:
    streamed = response.response
    is_file = response.direct_passthrough and not isinstance(streamed, GeneratorType)
    if response.is_streamed and not is_file:  # which a server may send by a way of its own
        response.response = _Held(streamed.chunks if isinstance(streamed, _Held) else streamed)
    return response


class _Held(Iterator[Any]):
    """The parts of a response, each made under the contexts of its request."""

    def __init__(self, chunks: Iterable[Any]) -> None:
        self.chunks = chunks
        self._next: Any = chunks
        self._contexts = StreamContexts()

    def __iter__(self) -> Self:
        self._next = self._contexts.run(iter, self.chunks)
        return self

    def __next__(self) -> Any:
        return self._contexts.run(next, self._next)

    def close(self) -> None:
        """End the stream, which may run the end of a generator."""
        close = getattr(self.chunks, "close", None)
        if close is not None:
            self._contexts.run(close)
