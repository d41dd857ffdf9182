"""From sources: which call a test expects to fail with which error, and the errors that a rule of the walks yields."""

import ast
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

Functions = dict[str, ast.FunctionDef]


@cache
def reverts_in(path: Path, driver: Path) -> frozenset[tuple[str, str]]:
    """Call and error of every `reverts_with` in a file of tests.

    What it is called of may be a call that is made there (`market.call("vote", ...)`), a method of the driver that
    makes one (`round_.vote(...)`), a function of the file that returns one, or a variable that holds one of these.
    """
    functions, methods = _functions(path), _functions(driver)
    return frozenset(
        (call, node.args[0].value)
        for function in functions.values()
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "reverts_with"
        if node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
        for call in _calls(node.func.value, function, functions, methods)
    )


def _calls(made: ast.expr, where: ast.FunctionDef, functions: Functions, methods: Functions) -> Iterator[str]:
    """The contract's functions that an expression may be a call of."""
    if isinstance(made, ast.Name):
        for value in _values(made.id, where):
            yield from _calls(value, where, functions, methods)
    elif isinstance(made, ast.Call):
        name = made.func.attr if isinstance(made.func, ast.Attribute) else getattr(made.func, "id", "")
        if name == "call" and made.args and isinstance(made.args[0], ast.Constant):
            yield str(made.args[0].value)
        for known in (functions, methods):
            for returned in _returned(known.get(name)):
                if returned is not made:
                    yield from _calls(returned, known[name], functions, methods)


def _values(name: str, where: ast.FunctionDef) -> Iterator[ast.expr]:
    """What a variable of a function is assigned, or runs through."""
    for node in ast.walk(where):
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets):
            yield node.value
        runs = isinstance(node, ast.For | ast.comprehension) and isinstance(node.iter, ast.Tuple | ast.List)
        if runs and isinstance(node.target, ast.Name) and node.target.id == name:
            yield from node.iter.elts


def _returned(function: ast.FunctionDef | None) -> list[ast.expr]:
    nodes = ast.walk(function) if function else ()
    return [node.value for node in nodes if isinstance(node, ast.Return) and node.value]


@cache
def _functions(path: Path) -> Functions:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}


def errors_of_rule(rule: Callable[..., Any]) -> set[str]:
    """The names that a rule yields, also by way of the rules that it calls."""
    (function,) = ast.parse(inspect.getsource(rule)).body
    errors = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Yield):
            errors |= {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
        if isinstance(node, ast.YieldFrom) and isinstance(node.value, ast.Call):
            errors |= errors_of_rule(rule.__globals__[getattr(node.value.func, "id", "")])
    return {error for error in errors if isinstance(error, str)}
