"""Streamed responses: their parts are made when the request is over, under its contexts."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from types import GeneratorType
from typing import Any, Self

from flask import Flask, Response, request
from werkzeug.wsgi import FileWrapper

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
    if not response.is_sequence and not _is_file(response):
        response.response = _Held(streamed.chunks if isinstance(streamed, _Held) else streamed)
    return response


def _is_file(response: Response) -> bool:
    """Whether a server may send the body by a way of its own, without asking for its parts."""
    if not response.direct_passthrough or isinstance(response.response, GeneratorType):
        return False
    wrap = request.environ.get("wsgi.file_wrapper")
    if wrap is not None and not isinstance(wrap, type):
        return True  # a function: what it makes may be of any class
    return isinstance(response.response, FileWrapper if wrap is None else (FileWrapper, wrap))


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

    def __del__(self) -> None:
        """End a stream that nobody closed: generators that this lets go run their end now."""
        self._contexts.run(self._let_go)

    def _let_go(self) -> None:
        self.chunks = self._next = ()
