"""Show what a video file holds; only its first pictures are decoded."""

import argparse
import dataclasses
from typing import Any

from longpanda.cli.streams import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `longpanda probe`."""
    parser.add_argument("video", help="a video file")
    parser.add_argument("--json", action="store_true", help="print one JSON object, in one line")


def run(options: argparse.Namespace) -> None:
    """Probe and print."""
    from longpanda.video import VideoInfo, probe

    info: VideoInfo = probe(options.video)
    values: dict[str, Any] = {f.name: getattr(info, f.name) for f in dataclasses.fields(info) if f.name != "geometry"}
    values["rotation_degrees"] = info.rotation_degrees
    values["sample_aspect_ratio"] = str(info.sample_aspect_ratio)
    if options.json:
        print_json(values)
        return
    for name, value in values.items():
        print(f"{name:22} {value if not isinstance(value, float) else round(value, 3)}")
