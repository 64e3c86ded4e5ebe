"""Recipes as they were written before stages had `data` and `objectives`: refused, with what to write now."""

from typing import Any

import yaml

from longpanda.errors import ConfigError

_SHOWN = ("frames", "stills", "still_cards", "scenes", "start_minutes", "step_seconds", "families", "questions")
"""What a stage itself said of its examples, which were all of LongWatch."""


def refuse_old_form(tree: Any) -> None:
    """Raises ConfigError, with the new form of the fields in question, for a stage in the old one."""
    stages = tree.get("stages") if isinstance(tree, dict) else None
    for number, stage in enumerate(stages if isinstance(stages, list) else ()):
        if isinstance(stage, dict) and (new := _new_form(stage)):
            old = [name for name in stage if name in (*_SHOWN, "freeze_vision", "cell_weight")]
            found = f"{', '.join(f'stages.{number}.{name}' for name in old)}, in the form of older recipes"
            raise ConfigError(found, _written(new), f"write it so, or as an override {_override(number, new)}")


def _new_form(stage: dict[str, Any]) -> dict[str, Any]:
    """The fields by which a stage says now what it says in the old way; none where it says nothing so."""
    new: dict[str, Any] = {}
    if shown := {name: stage[name] for name in _SHOWN if name in stage}:
        there = stage.get("data")
        new["data"] = {"kind": "longwatch"} | (there if isinstance(there, dict) else {}) | shown
    if "freeze_vision" in stage:
        vision = ("stab", "projector") if stage["freeze_vision"] else ()
        given = stage.get("freeze")
        new["freeze"] = list(dict.fromkeys((*vision, *(given if isinstance(given, list) else ()))))
    if "cell_weight" in stage:
        probes = [{"kind": kind, "weight": stage["cell_weight"]} for kind in ("cell_probe", "group_probe")]
        new["objectives"] = ["answers", *probes]
    return new


def _written(value: dict[str, Any]) -> str:
    """On one line of YAML, without the outer braces."""
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6).strip()[1:-1]


def _override(number: int, new: dict[str, Any]) -> str:
    """One of the new fields as it would be overridden."""
    name, value = next(iter(new.items()))
    if isinstance(value, dict):
        inner, value = list(value.items())[-1]
        name = f"{name}.{inner}"
    flow = yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("...\n").strip()
    return f"stages.{number}.{name}={flow}"
