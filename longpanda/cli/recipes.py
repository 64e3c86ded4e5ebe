"""What `longpanda train` can be told: the recipes that ship with the package, and the fields of one."""

import argparse
import dataclasses
import inspect
import re
import textwrap
import typing
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

WIDTH: Final = 100
_FIRST_SENTENCE: Final = re.compile(r"(.+?)[.:](?:\s|$)")


class Field(NamedTuple):
    """A field of a recipe.

    Args:
        path: as an override names it; N is a number of a stage, from 0.
        kind: its type.
        default: its value where a recipe has none; None for one that every recipe must have.
        about: what it means.
    """

    path: str
    kind: str
    default: str | None
    about: str


def recipes() -> dict[str, str]:
    """The shipped recipes: name, and the first sentence of the comment that it opens with, below its commands."""
    from longpanda.train.recipe import RECIPES

    found = {}
    for path in sorted(RECIPES.glob("*.yaml"), key=lambda path: path.stem):
        comment = [line[1:].strip() for line in path.read_text().splitlines() if line.startswith("#")]
        prose = " ".join(comment[comment.index("") + 1 :])
        sentence = _FIRST_SENTENCE.match(prose)
        found[path.stem] = sentence[1] if sentence else prose
    return found


def fields() -> list[Field]:
    """All fields of a recipe, of its model and of its stages, in the order in which they are declared."""
    from longpanda.train.recipe import Recipe

    return list(_fields_of(Recipe, ""))


def _fields_of(kind: Any, prefix: str) -> Iterator[Field]:
    hints, meanings = typing.get_type_hints(kind), _meanings(kind)
    for one in dataclasses.fields(kind):
        annotated = hints[one.name]
        inner = next(
            (part for part in (annotated, *typing.get_args(annotated)) if dataclasses.is_dataclass(part)), None
        )
        if inner is not None:
            number = "" if inner is annotated else "N."
            yield from _fields_of(inner, f"{prefix}{one.name}.{number}")
            continue
        yield Field(prefix + one.name, _named(annotated), _default(one), meanings[one.name])


def _named(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not typing.get_args(kind) else str(kind).replace("typing.", "")


def _default(field: "dataclasses.Field[Any]") -> str | None:
    """As it would be written."""
    if field.default is not dataclasses.MISSING:
        return repr(field.default)
    return None if field.default_factory is dataclasses.MISSING else repr(field.default_factory())


def _meanings(kind: Any) -> dict[str, str]:
    """What a docstring says of each argument."""
    _, _, listed = (inspect.getdoc(kind) or "").partition("Args:\n")
    paragraphs = re.split(r"\n    (?=\w+: )", "\n" + listed)
    named = (" ".join(paragraph.split()).partition(": ") for paragraph in paragraphs if paragraph.strip())
    return {name: about for name, _, about in named}


def listed_in_help() -> str:
    """The recipes, and the names of all fields."""
    lines = ["recipes that ship with the package:"]
    lines += [_indented(f"{name:14}", about) for name, about in recipes().items()]
    names = ", ".join(field.path for field in fields())
    lines += ["", "fields of a recipe (what they mean: longpanda train --fields):", _indented("", names)]
    return "\n".join(lines)


def listed_in_full() -> str:
    """Every field with its type, default and meaning."""
    lines = []
    for field in fields():
        default = "must be given" if field.default is None else f"default {field.default}"
        lines += [f"{field.path} ({field.kind}; {default})", _indented("", field.about)]
    return "\n".join(lines)


def _indented(name: str, text: str) -> str:
    first = f"  {name}"
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=" " * len(first), break_on_hyphens=False)


class ShowFields(argparse.Action):
    """`--fields`: print them, and end, as `--help` does."""

    def __init__(self, option_strings: list[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Called where the option stands."""
        print(listed_in_full())
        parser.exit()
