"""Lists for the help of `longpanda train`: the shipped recipes, and the fields of a recipe."""

import argparse
import dataclasses
import inspect
import re
import textwrap
import typing
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from longpanda.train.parsing import KindChoice

WIDTH: Final = 100
_FIRST_SENTENCE: Final = re.compile(r"(.+?)[.:](?:\s|$)")


class Field(NamedTuple):
    """A field of a recipe.

    Args:
        path: path in an override; N stands for the number of a stage, M for that of an objective, both from 0.
        kind: type.
        default: default value; None for a required field.
        about: meaning.
    """

    path: str
    kind: str
    default: str | None
    about: str


def recipes() -> dict[str, str]:
    """Return the shipped recipes by name, each with the first sentence of its opening comment, after the commands."""
    from longpanda.train.recipe import RECIPES

    found = {}
    for path in sorted(RECIPES.glob("*.yaml"), key=lambda path: path.stem):
        comment = [line[1:].strip() for line in path.read_text().splitlines() if line.startswith("#")]
        prose = " ".join(comment[comment.index("") + 1 :])
        sentence = _FIRST_SENTENCE.match(prose)
        found[path.stem] = sentence[1] if sentence else prose
    return found


def fields() -> list[Field]:
    """Return all fields of a recipe, its model, stages, kinds of data and objectives, in the order of declaration."""
    from longpanda.train.recipe import Recipe

    return list(_fields_of(Recipe, ""))


def _fields_of(kind: Any, prefix: str) -> Iterator[Field]:
    from longpanda.train.parsing import fields_of

    hints, meanings = typing.get_type_hints(kind, include_extras=True), _meanings(kind)
    for one in fields_of(kind):
        annotated = hints[one.name]
        if choice := _choice_of(annotated):
            yield from _fields_of_choice(one, choice, prefix, meanings[one.name])
            continue
        inner = next(
            (part for part in (annotated, *typing.get_args(annotated)) if dataclasses.is_dataclass(part)), None
        )
        if inner is not None:
            number = "N." if typing.get_origin(annotated) is tuple else ""
            yield from _fields_of(inner, f"{prefix}{one.name}.{number}")
            continue
        yield Field(prefix + one.name, _named(annotated), _default(one), meanings[one.name])


def _choice_of(annotated: Any) -> "KindChoice | None":
    """Return the kinds of a field, or of the items of a list, that is one of several kinds."""
    from longpanda.train.parsing import KindChoice

    for one in (annotated, *typing.get_args(annotated)):
        if typing.get_origin(one) is typing.Annotated:
            return next((extra for extra in one.__metadata__ if isinstance(extra, KindChoice)), None)
    return None


def _fields_of_choice(field: Any, choice: "KindChoice", prefix: str, about: str) -> Iterator[Field]:
    """Yield the kinds and the fields of each. Fields that all kinds share are listed once."""
    path, known = prefix + field.name, ", ".join(choice.kinds)
    is_list = isinstance(field.default, tuple)
    summaries = " ".join(f"{kind}: {_summary(made)}" for kind, made in choice.kinds.items())
    if is_list:
        default = f"[{', '.join(one.kind for one in field.default)}]"
        yield Field(path, f"list of {known}; NAME or {{kind: NAME, ...}}", default, f"{about} {summaries}")
    else:
        yield Field(f"{path}.kind", f"one of {known}", None, f"{about} {summaries}")
    inner = f"{path}.M." if is_list else f"{path}."
    listed = {kind: list(_fields_of(made, inner)) for kind, made in choice.kinds.items()}
    for one in dict.fromkeys(one for fields in listed.values() for one in fields):
        owners = [kind for kind, fields in listed.items() if one in fields]
        yield one if len(owners) == len(listed) else one._replace(about=f"{' and '.join(owners)}: {one.about}")


def _summary(kind: Any) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0]


def _named(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not typing.get_args(kind) else str(kind).replace("typing.", "")


def _default(field: "dataclasses.Field[Any]") -> str | None:
    """Return the default as it would be written in a recipe."""
    if field.default is not dataclasses.MISSING:
        return repr(field.default)
    return None if field.default_factory is dataclasses.MISSING else repr(field.default_factory())


def _meanings(kind: Any) -> dict[str, str]:
    """Return the description of each argument in a docstring."""
    listed = (inspect.getdoc(kind) or "").partition("Args:\n")[2].partition("\n\n")[0]
    paragraphs = re.split(r"\n    (?=\w+: )", "\n" + listed)
    named = (" ".join(paragraph.split()).partition(": ") for paragraph in paragraphs if paragraph.strip())
    return {name: about for name, _, about in named}


def listed_in_help() -> str:
    """Return the text of the shipped recipes and the names of all fields."""
    lines = ["shipped recipes:"]
    lines += [_indented(f"{name:14}", about) for name, about in recipes().items()]
    names = ", ".join(dict.fromkeys(field.path for field in fields()))  # kinds may share a name
    lines += ["", "fields of a recipe (described by longpanda train --fields):", _indented("", names)]
    return "\n".join(lines)


def listed_in_full() -> str:
    """Return the text of every field with its type, default and meaning."""
    lines = []
    for field in fields():
        default = "required" if field.default is None else f"default {field.default}"
        lines += [f"{field.path} ({field.kind}; {default})", _indented("", field.about)]
    return "\n".join(lines)


def _indented(name: str, text: str) -> str:
    first = f"  {name}"
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=" " * len(first), break_on_hyphens=False)


class ShowFields(argparse.Action):
    """`--fields`: print the fields and exit, as `--help` does."""

    def __init__(self, option_strings: list[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Print and exit, when argparse meets the option."""
        print(listed_in_full())
        parser.exit()
