"""Converts parsed YAML to dataclasses. Errors in keys, types and choices name the path of the field."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from longpanda.errors import ConfigError, counted, nearest


@dataclass(frozen=True, eq=False)
class KindChoice:
    """The annotation `Annotated[T, KindChoice(...)]` of a field: one of several dataclasses, selected by `kind`.

    A name alone stands for the kind with its defaults.

    Args:
        what: name of the choice in the plural ("objectives").
        kinds: the dataclasses by name. They have a field `kind` with `init=False`, so that `asdict` of them can be
            parsed again.
    """

    what: str
    kinds: Mapping[str, type[Any]]


def fields_of(kind: Any) -> list["dataclasses.Field[Any]"]:
    """Return the fields of a dataclass that its constructor takes."""
    return [field for field in dataclasses.fields(kind) if field.init]


def override(tree: Any, text: str) -> None:
    """Set one field of a parsed recipe by `path.to.field=value`. Raises ConfigError for an unknown path."""
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


def parsed(kind: Any, value: Any, path: str) -> Any:
    """Build a value of an annotated type from parsed YAML.

    Raises:
        ConfigError: a key is unknown or missing, or a value has the wrong type. The message names the path.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _build_choice(arguments[1], value, path)
    if origin is types.UnionType:  # a kind or None
        return None if value is None else parsed(arguments[0], value, path)
    if dataclasses.is_dataclass(kind):
        made = typing.cast(type[Any], kind)
        return made(**_arguments(made, value, path))
    if origin is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{path} = {value!r}", "a list", "write [a, b]")
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) != len(value):
            expected = counted(len(kinds), "value")
            raise ConfigError(f"{path} = {value!r}", expected, f"write {expected} in the list")
        return tuple(parsed(k, v, f"{path}.{i}") for i, (k, v) in enumerate(zip(kinds, value, strict=True)))
    plain = origin or kind
    if plain is float:
        value = _as_float(value)
    if not isinstance(value, plain) or (plain is int and isinstance(value, bool)):
        remedy = f"change it in the recipe, or override it: {path}=VALUE"
        raise ConfigError(f"{path} = {value!r}", f"a value of type {plain.__name__}", remedy)
    return value


def _as_float(value: Any) -> Any:
    """Convert whole numbers, and text such as 1e-3 in YAML 1.1, to float; return anything else unchanged."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    try:
        return float(value)
    except ValueError:
        return value


def _arguments(kind: type[Any], value: Any, path: str) -> dict[str, Any]:
    """Build the arguments of a dataclass. Raises ConfigError as `parsed`."""
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
    return {k: parsed(hints[k], v, f"{path}.{k}".lstrip(".")) for k, v in value.items()}


def _build_choice(choice: KindChoice, value: Any, path: str) -> Any:
    """Build a value of one of several kinds. Its own errors get the path, too."""
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
