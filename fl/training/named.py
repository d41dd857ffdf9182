"""Functions and classes that a setting names, with arguments where it gives some.

    Adam                                 of a library that the setting is about, here torch.optim
    package.module:name                  anything that Python can import from here
    package.module:name(width=64)        the same with arguments, which are literals

What is named is imported where a user's own settings name it, never because somebody else's text does.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

from fl.faults import line_of
from fl.training.errors import TrainingError, is_out_of_memory


def is_path(text: str) -> bool:
    """Whether it is the path of something outside a library: `package.module:name` or `package.module.name`."""
    return any(mark in text.partition("(")[0] for mark in ".:")


def resolve(text: str, what: str, library: str | Mapping[str, Callable[..., Any]] | None = None) -> Callable[..., Any]:
    """What a setting names; its arguments, if any, are bound.

    Args:
        text: as above.
        what: it is for, such as "loss": for whoever reads an error.
        library: what it may name without a path, or the module that holds that; None: it has to be a path.

    Raises:
        TrainingError: it cannot be imported or called, or its arguments are no `name=literal`.
    """
    name, arguments = split(text, what)
    if isinstance(library, Mapping) and not is_path(name):
        if name not in library:
            raise TrainingError(
                f"unknown {what} {name!r}: choose one of {', '.join(library)}, or give package.module:name"
            )
        found = library[name]
    else:
        found = _imported(name, what, library if isinstance(library, str) else None)
    return partial(found, **arguments) if arguments else found


@lru_cache(maxsize=64)
def _imported(name: str, what: str, library: str | None) -> Callable[..., Any]:
    try:
        if is_path(name) or library is None:
            found = pkgutil.resolve_name(name)
        else:
            found = getattr(importlib.import_module(library), name)
    except (Exception, SystemExit) as error:  # its module may do anything
        where = "" if is_path(name) or library is None else f" one of {library}, or"
        raise TrainingError(
            f"the {what} {name} cannot be imported ({said(error)}): give{where} package.module:name, findable from here"
        ) from error
    if not callable(found):
        raise TrainingError(f"the {what} {name} cannot be called")
    return found  # type: ignore[no-any-return]


@lru_cache(maxsize=64)
def split(text: str, what: str) -> tuple[str, dict[str, Any]]:
    """The name and the arguments of `name(argument=literal, …)`.

    Raises:
        TrainingError: it is written otherwise.
    """
    name, bracket, rest = text.partition("(")
    if not bracket:
        return name, {}
    try:
        call = ast.parse(f"_({rest}", mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            raise ValueError("no call, or one with arguments that have no name")
        arguments = {each.arg: ast.literal_eval(each.value) for each in call.keywords if each.arg}
        if len(arguments) < len(call.keywords):
            raise ValueError("an argument is given twice, or without a name")
        return name, arguments
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:  # the latter two where brackets are deep
        raise TrainingError(f"the {what} {text!r} is not written as name(argument=value, …)") from error


def function_of(text: str, what: str, library: str | Mapping[str, Callable[..., Any]] | None = None) -> Any:
    """The function that a setting names; of a class, such as `torch.nn:HuberLoss(delta=2.0)`, an object of it.

    Arguments and errors as of `resolve`.
    """
    found = resolve(text, what, library)
    kind = found.func if isinstance(found, partial) else found
    return _object_of(text, what) if inspect.isclass(kind) and is_path(text) else found


@lru_cache(maxsize=64)
def _object_of(path: str, what: str) -> Any:
    make = resolve(path, what)
    with asking(f"the {what} {path} cannot be made"):
        return make()


@contextmanager
def asking(what: str, kind: type[TrainingError] = TrainingError) -> Iterator[None]:
    """Run code that may be anybody's: what it raises, an exit too, becomes one line, but for a GPU's lack of memory.

    Args:
        what: is said of it then, before its own words.
        kind: of the error.

    Raises:
        TrainingError: of that kind, where it raised anything.
    """
    try:
        yield
    except kind:
        raise
    except TrainingError as error:
        raise kind(str(error)) from error
    except (Exception, SystemExit) as error:
        if is_out_of_memory(error):  # no fault of the code
            raise
        raise kind(f"{what}: {said(error)}") from error


_LONG = 300
"""Characters of somebody's error that are told: PyTorch's go on for pages."""


def said(error: BaseException) -> str:
    """What an error of somebody's code says, in one line; with its kind where its words alone say little."""
    plain = isinstance(error, ImportError | AttributeError | TypeError | ValueError | RuntimeError)
    kind, text = type(error).__name__, line_of(error)
    return textwrap.shorten(text if text and plain else f"{kind}: {text}" if text else kind, _LONG, placeholder=" …")
