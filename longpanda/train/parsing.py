"""Parsed YAML to dataclasses: keys, types and choices are checked on the way down, and named by their path."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from longpanda.errors import ConfigError, counted, nearest


@dataclass(frozen=True, eq=False)
class Choice:
    """Beside a field's type (`Annotated[T, Choice(...)]`): one of several dataclasses, named by its `kind`.

    A name alone stands for the kind with all its defaults.

    Args:
        what: what is chosen, in the plural ("objectives").
        kinds: the dataclasses by name. They have a field `kind` that is not set when they are made, so that what is
            written of them can be read again.
    """

    what: str
    kinds: Mapping[str, type[Any]]


def fields_of(kind: Any) -> list["dataclasses.Field[Any]"]:
    """The fields of a dataclass that may be given."""
    return [field for field in dataclasses.fields(kind) if field.init]


def override(tree: Any, text: str) -> None:
    """Set one field of a parsed recipe by `path.to.field=value`. Raises ConfigError for a path that is not there."""
    path, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"override '{text}'", "field=value", "write for example stages.0.steps=100")
    node, keys = tree, path.split(".")
    for depth, key in enumerate(keys[:-1]):
        known = range(len(node)) if isinstance(node, list) else node
        node_key = int(key) if isinstance(node, list) and key.isdigit() else key
        at = ".".join(keys[: depth + 1])
        if node_key not in known:
            raise ConfigError(f"unknown field '{at}'", "a field of the recipe", nearest(key, map(str, known)))
        if not isinstance(node[node_key], dict | list):
            raise ConfigError(f"unknown field '{path}'", f"'{at}' alone, a single value", f"write {at}=VALUE")
        node = node[node_key]
    if isinstance(node, list):
        raise ConfigError(f"override '{text}'", "the field of an element", f"write {path}.FIELD=value")
    try:
        node[keys[-1]] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"override '{text}'", "a value in YAML", f"quote it: {path}='...'") from error


def build(kind: Any, value: Any, path: str) -> Any:
    """A value of the annotated kind from parsed YAML, checking keys and types on the way down.

    Raises:
        ConfigError: an unknown or missing key, or a value of the wrong type, by its path.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _build_choice(arguments[1], value, path)
    if origin is types.UnionType:  # a kind or None
        return None if value is None else build(arguments[0], value, path)
    if dataclasses.is_dataclass(kind):
        made = typing.cast(type[Any], kind)
        return made(**_arguments(made, value, path))
    if origin is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{path} = {value!r}", "a list", "write [a, b]")
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) != len(value):
            raise ConfigError(f"{path} = {value!r}", counted(len(kinds), "value"), f"write {len(kinds)}")
        return tuple(build(k, v, f"{path}.{i}") for i, (k, v) in enumerate(zip(kinds, value, strict=True)))
    plain = origin or kind
    if plain is float:
        value = _as_float(value)
    if not isinstance(value, plain) or (plain is int and isinstance(value, bool)):
        raise ConfigError(f"{path} = {value!r}", f"a value of type {plain.__name__}", f"correct {path}")
    return value


def _as_float(value: Any) -> Any:
    """Whole numbers, and 1e-3, which YAML 1.1 takes for text; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    try:
        return float(value)
    except ValueError:
        return value


def _arguments(kind: type[Any], value: Any, path: str) -> dict[str, Any]:
    """What a dataclass is made with. Raises ConfigError as `build`."""
    if not isinstance(value, dict):
        raise ConfigError(f"{path or 'recipe'} = {value!r}", "a mapping", f"write {path or 'the recipe'} as KEY: VALUE")
    hints, fields = typing.get_type_hints(kind, include_extras=True), {f.name: f for f in fields_of(kind)}
    for key in value:
        if key not in fields:
            dotted = f"{path}.{key}".lstrip(".")
            raise ConfigError(f"unknown field '{dotted}'", f"a field of {kind.__name__}", nearest(str(key), fields))
    for name, f in fields.items():
        if name not in value and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{path or 'recipe'} has no '{name}'", f"every field of {kind.__name__}", f"add {name}")
    return {k: build(hints[k], v, f"{path}.{k}".lstrip(".")) for k, v in value.items()}


def _build_choice(choice: Choice, value: Any, path: str) -> Any:
    """A value of one of several kinds. What is wrong with it as a whole is said with its path, too."""
    given = {"kind": value} if isinstance(value, str) else value
    example = f"{{kind: {next(iter(choice.kinds))}, ...}}"
    if not isinstance(given, dict) or "kind" not in given:
        raise ConfigError(f"{path} = {value!r}", f"a mapping with the kind of {choice.what}", f"write {example}")
    kind = given["kind"]
    if not isinstance(kind, str) or kind not in choice.kinds:
        known = ", ".join(choice.kinds)
        remedy = nearest(str(kind), choice.kinds, is_listed=True)
        raise ConfigError(f"{path}.kind = {kind!r}", f"one of {known}", remedy)
    made = choice.kinds[kind]
    arguments = _arguments(made, {key: one for key, one in given.items() if key != "kind"}, path)
    try:
        return made(**arguments)
    except ConfigError as error:
        raise ConfigError(f"{error.found} in {path}", error.expected, error.remedy) from error
