"""Parts of syntax trees of Python, in a word each."""

from __future__ import annotations

import ast

__all__ = ["attribute", "call", "got", "is_not_none", "item", "name_of", "negated", "stored_in"]


def got(mapping: ast.expr, key: str, default: str) -> ast.expr:
    return call(ast.Attribute(mapping, "get", ast.Load()), ast.Constant(key), name_of(default))


def item(container: str, key: str | int) -> ast.expr:
    return ast.Subscript(name_of(container), ast.Constant(key), ast.Load())


def negated(test: ast.expr, is_negated: bool) -> ast.expr:  # noqa: FBT001 - a field of plans
    return ast.UnaryOp(ast.Not(), test) if is_negated else test


def is_not_none(value: ast.expr) -> ast.expr:
    return ast.Compare(value, [ast.IsNot()], [ast.Constant(None)])


def call(function: ast.expr, *arguments: ast.expr) -> ast.expr:
    return ast.Call(function, list(arguments), [])


def attribute(owner: str, name: str) -> ast.expr:
    return ast.Attribute(name_of(owner), name, ast.Load())


def name_of(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def stored_in(name: str) -> ast.Name:
    return ast.Name(name, ast.Store())
