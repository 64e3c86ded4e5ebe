"""A system for LongWatch: it counts how often the lamp turned a colour and answers "never" to everything else.

longpanda longwatch run runs/suite --command "python examples/answerer.py" --out runs/lamp.jsonl
"""

import json
import re
import sys
from functools import lru_cache
from itertools import pairwise

import numpy as np

from longpanda.video import iter_frames, probe

LAMP = {
    "red": (232, 44, 40),
    "green": (44, 190, 60),
    "blue": (70, 112, 255),
    "yellow": (250, 232, 40),
    "off": (62,) * 3,
}


@lru_cache(maxsize=1)  # all questions about one video come in a row
def lamp(video: str) -> tuple[list[float], list[str]]:
    """Return the times of frames 4 s apart and the colour of the lamp, in the middle of the top left cell, in each."""
    frames = iter_frames(video, np.arange(0, probe(video).duration_seconds, 4))
    looks = [(frame.pts_seconds, frame.pixels[len(frame.pixels) // 6, len(frame.pixels) // 6]) for frame in frames]
    colours = [min(LAMP, key=lambda name: np.abs(np.subtract(LAMP[name], pixel)).sum()) for _, pixel in looks]
    return [seconds for seconds, _ in looks], colours


for line in sys.stdin:
    asked = json.loads(line)  # keys: "video" (its path), "question", "instruction" (how to answer)
    seconds, colours = lamp(asked["video"])
    turn = re.match(r"How many times did the lamp turn (\w+)", asked["question"])
    count = sum(before != now == turn[1] for before, now in pairwise(["off", *colours])) if turn else 0
    print(json.dumps({"answer": str(count) if turn else "never", "frames_seconds": seconds}), flush=True)
