"""Refuses recipes from before stages had `data` and `objectives`, and shows the new form."""

from typing import Any

import yaml

from longpanda.errors import ConfigError

_DATA_FIELDS = ("frames", "stills", "still_cards", "scenes", "start_minutes", "step_seconds", "families", "questions")
"""Former fields of a stage about its examples, which were always from LongWatch."""


def refuse_old_form(tree: Any) -> None:
    """Raise ConfigError for a stage in the old form, with the new form of its fields."""
    stages = tree.get("stages") if isinstance(tree, dict) else None
    for number, stage in enumerate(stages if isinstance(stages, list) else ()):
        if isinstance(stage, dict) and (new := _new_form(stage)):
            old = [name for name in stage if name in (*_DATA_FIELDS, "freeze_vision", "cell_weight")]
            found = f"{', '.join(f'stages.{number}.{name}' for name in old)}, in the form of older recipes"
            raise ConfigError(found, _as_yaml(new), f"write that, or as an override {_override(number, new)}")


def _new_form(stage: dict[str, Any]) -> dict[str, Any]:
    """Convert the old fields of a stage to new ones; empty if it has no old fields."""
    new: dict[str, Any] = {}
    if old := {name: stage[name] for name in _DATA_FIELDS if name in stage}:
        given = stage.get("data")
        new["data"] = {"kind": "longwatch"} | (given if isinstance(given, dict) else {}) | old
    if "freeze_vision" in stage:
        vision = ("stab", "projector") if stage["freeze_vision"] else ()
        given = stage.get("freeze")
        new["freeze"] = list(dict.fromkeys((*vision, *(given if isinstance(given, list) else ()))))
    if "cell_weight" in stage:
        probes = [{"kind": kind, "weight": stage["cell_weight"]} for kind in ("cell_probe", "group_probe")]
        new["objectives"] = ["answers", *probes]
    return new


def _as_yaml(value: dict[str, Any]) -> str:
    """Write fields as one line of YAML, without the outer braces."""
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6).strip()[1:-1]


def _override(number: int, new: dict[str, Any]) -> str:
    """Write the first new field as an override."""
    name, value = next(iter(new.items()))
    if isinstance(value, dict):
        inner, value = list(value.items())[-1]
        name = f"{name}.{inner}"
    flow = yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("...\n").strip()
    return f"stages.{number}.{name}={flow}"
