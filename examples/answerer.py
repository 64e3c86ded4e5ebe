"""Another system for LongWatch: it counts how often the lamp turned a colour, and says "never" to all else.

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


@lru_cache(maxsize=1)  # questions of one video come one after the other
def lamp(video: str) -> tuple[list[float], list[str]]:
    """When it was looked, every 4 s, and what colour the lamp was, which hangs in the middle of the top left cell."""
    frames = iter_frames(video, np.arange(0, probe(video).duration_seconds, 4))
    looks = [(frame.pts_seconds, frame.pixels[len(frame.pixels) // 6, len(frame.pixels) // 6]) for frame in frames]
    colours = [min(LAMP, key=lambda name: np.abs(np.subtract(LAMP[name], pixel)).sum()) for _, pixel in looks]
    return [seconds for seconds, _ in looks], colours


for line in sys.stdin:
    asked = json.loads(line)  # "video" is its path, "question" is all to be read, "instruction" how to answer
    seconds, colours = lamp(asked["video"])
    turn = re.match(r"How many times did the lamp turn (\w+)", asked["question"])
    count = sum(before != now == turn[1] for before, now in pairwise(["off", *colours])) if turn else 0
    print(json.dumps({"answer": str(count) if turn else "never", "frames_seconds": seconds}), flush=True)
