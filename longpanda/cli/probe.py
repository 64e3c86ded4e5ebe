"""Print what a video file contains. Reads all packets, but decodes only the first picture."""

import argparse
import dataclasses
from typing import Any

from longpanda.cli.streams import print_json

_ONLY_IN_JSON = ("clock_jumps", "wrong_times", "longest_still")
"""The notice has these in words."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `longpanda probe`."""
    parser.add_argument("video", help="a video file")
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")


def run(options: argparse.Namespace) -> None:
    """Probe the file and print the result."""
    from longpanda.video import VideoInfo, probe

    info: VideoInfo = probe(options.video)
    values: dict[str, Any] = {f.name: getattr(info, f.name) for f in dataclasses.fields(info) if f.name != "geometry"}
    values["rotation_degrees"] = info.rotation_degrees
    values["sample_aspect_ratio"] = str(info.sample_aspect_ratio)
    values["clock_jumps"] = [dataclasses.asdict(jump) for jump in info.clock_jumps]
    values["notice"] = info.notice.strip()
    if options.json:
        print_json(values)
        return
    for name, value in values.items():
        if name in _ONLY_IN_JSON or not (value or name != "notice"):
            continue
        print(f"{name:22} {value if not isinstance(value, float) else round(value, 3)}")
