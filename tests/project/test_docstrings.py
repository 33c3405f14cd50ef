"""What ``bff`` exports is documented whole: each parameter, result, attribute and signal."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import pytest
from blinker import NamedSignal

import bff

EXPORTED = {name: getattr(bff, name) for name in bff.__all__}
CLASSES = [value for value in EXPORTED.values() if inspect.isclass(value)]
SIGNALS = [value for value in EXPORTED.values() if isinstance(value, NamedSignal)]


def listed(docstring: str | None, section: str) -> list[str]:
    """Return the names that a section of a Google docstring lists."""
    body = inspect.cleandoc(docstring or "").partition(f"\n{section}:\n")[2]
    return re.findall(r"^ {4}(\w+): \S", re.split(r"\n(?=\S)", body)[0], re.MULTILINE)


def ours(kind: type) -> list[type]:
    return [one for one in kind.__mro__ if one.__module__.startswith("bff.")]


def methods(kind: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    for base in ours(kind):
        for name, value in vars(base).items():
            function = getattr(value, "__func__", value)  # of a static or class method
            if inspect.isfunction(function) and not name.startswith("_"):
                yield function.__qualname__, function


FUNCTIONS = dict(one for kind in CLASSES for one in methods(kind))
FUNCTIONS |= {name: value for name, value in EXPORTED.items() if inspect.isfunction(value)}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_lists_its_parameters_and_says_what_it_returns(name: str) -> None:
    signature, text = inspect.signature(FUNCTIONS[name]), FUNCTIONS[name].__doc__
    parameters = [one for one in signature.parameters if one not in ("self", "cls")]
    assert listed(text, "Args") == parameters
    if signature.return_annotation != "None":
        assert re.search(r"\AReturn |\n +Returns:\n", text or "")


def attributes(kind: type) -> set[str]:
    if issubclass(kind, Enum):
        return set(kind.__members__)
    if is_dataclass(kind):
        return {field.name for field in fields(kind)}
    if issubclass(kind, bff.BffError):
        return {*bff.BffError.__annotations__, *vars(kind("text"))}
    return set(inspect.signature(kind).parameters)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_public_class_lists_its_attributes(kind: type) -> None:
    texts = [one.__doc__ for one in ours(kind)]
    found = {
        name for text in texts for part in ("Args", "Attributes") for name in listed(text, part)
    }
    assert attributes(kind) <= found


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)
def test_a_signal_lists_what_it_carries(signal: NamedSignal) -> None:
    assert listed(signal.__doc__, "Args")
