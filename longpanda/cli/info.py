"""Print a model's parameters, and its tokens and compute per frame, from its configuration."""

import argparse
from typing import Any

from longpanda.cli.streams import print_json
from longpanda.errors import counted

FRAME_SHAPES = {"square": (448, 448), "16:9": (720, 1280), "9:16": (1280, 720)}
"""Heights and widths in pixels of the frames whose cost is shown."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `longpanda info`."""
    parser.add_argument(
        "model", nargs="?", default="nano", help="a bundled model, a model folder or a hub id (default: nano)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")


def run(options: argparse.Namespace) -> None:
    """Compute the costs and print them."""
    from longpanda.inference.load import load_config

    config = load_config(options.model)
    values = {"model": options.model, **describe(config)}
    if options.json:
        print_json(values)
    else:
        print(_table(values))


def describe(config: Any) -> dict[str, Any]:
    """Return the parameters of each part, and tokens and GFLOP of one frame for each shape."""
    from longpanda.model.configuration import cells_of
    from longpanda.model.flops import (
        llm_flops_per_token,
        projector_flops_per_token,
        stab_flops_per_frame,
        temporal_flops_per_frame,
        tokens_per_frame,
    )
    from longpanda.model.parameters import parameters_by_part

    stab, temporal = config.stab_config, config.temporal_config
    frames = {}
    for name, (height_px, width_px) in FRAME_SHAPES.items():
        cells = cells_of(height_px, width_px, stab)
        tokens = tokens_per_frame(stab, height_px, width_px, temporal)
        compressor = temporal_flops_per_frame(temporal, *cells) if temporal is not None else {}
        frames[name] = {
            "tokens": tokens,
            "stab_gflop": sum(stab_flops_per_frame(stab, *cells).values()) / 1e9,
            "compressor_gflop": sum(compressor.values()) / 1e9,
            "projector_gflop": tokens * projector_flops_per_token(config) / 1e9,
            "language_model_gflop": tokens * llm_flops_per_token(config.text_config) / 1e9,
        }
    parameters = parameters_by_part(config)
    return {
        "backbone": config.text_config.model_type,
        "parameters": {**parameters, "total": sum(parameters.values())},
        "image_px": stab.image_px,
        "window_frames": stab.window_frames,
        "sampling": config.sampling,
        "frame": frames,
        "notice": config.notice,
    }


def _table(values: dict[str, Any]) -> str:
    from longpanda.video import Sampling

    lines = [f"{values['model']}: STAB and {values['backbone']}, frames of {values['image_px']} px", "", "parameters"]
    lines += [f"  {part:24} {count:>14,}" for part, count in values["parameters"].items()]
    columns = f"{'STAB GFLOP':>12} {'compressor':>12} {'projector':>12} {'language model':>16}"
    lines += ["", f"{'one frame':12} {'tokens':>8} {columns}"]
    for name, cost in values["frame"].items():
        lines.append(
            f"  {name:10} {cost['tokens']:>8g} {cost['stab_gflop']:>12.4g} {cost['compressor_gflop']:>12.4g} "
            f"{cost['projector_gflop']:>12.4g} {cost['language_model_gflop']:>16.4g}"
        )
    lines += ["", f"reads {Sampling(**values['sampling'])}, {counted(values['window_frames'], 'frame')} to a window"]
    return "\n".join(lines + ([f"note: {values['notice']}"] if values["notice"] else []))
