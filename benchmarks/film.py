"""Cost of filming LongWatch: CPU seconds, peak memory and file size of one film of each room.

    python -m benchmarks.film --minutes 120

Each film is made in a new process, with the default settings of a suite.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measure import command, keep_result, machine, write_json
from longpanda.longwatch.suite import ROOM_SCRIPTS

MINUTES = 120.0
RESULT = Path(__file__).parent / "results" / "film_cpu.json"

ONE_FILM = """
import json, sys, time
from pathlib import Path
from longpanda.longwatch import Split, scene_seed
from longpanda.longwatch.film import film
from longpanda.longwatch.script import LEVELS
from longpanda.longwatch.suite import ROOM_SCRIPTS, SuitePlan
from longpanda.memory import peak_memory_bytes
room, minutes, path, plan = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]), SuitePlan()
scene = ROOM_SCRIPTS[room](scene_seed(Split.DEV, 0), LEVELS[plan.level]).scene(60 * minutes)
start = time.perf_counter(), time.process_time()
made = film(scene, path, plan.size_px, plan.fps, plan.crf)
print(json.dumps({"frames": made.frames, "wall_seconds": time.perf_counter() - start[0],
    "cpu_seconds": time.process_time() - start[1], "file_bytes": path.stat().st_size,
    "size_px": plan.size_px, "fps": plan.fps,
    "peak_rss_bytes": peak_memory_bytes()}))
"""


def one_film(room: str, minutes: float) -> dict[str, Any]:
    """Film one scene with the defaults of a suite, in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        ran = [sys.executable, "-c", ONE_FILM, room, str(minutes), str(Path(folder) / "film.mp4")]
        done = subprocess.run(ran, capture_output=True, text=True, check=True)
    return {"room": room, "minutes": minutes, **json.loads(done.stdout)}


def main() -> None:
    """Film each room once, and write the result."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.film", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    if options.minutes != MINUTES:
        keep_result(parser, options.out, RESULT, f"--minutes {options.minutes}")
    films = [one_film(room, options.minutes) for room in ROOM_SCRIPTS]
    write_json(options.out, {"machine": machine(), "command": command(parser, options), "films": films})
    for one in films:
        print(
            f"{one['room']:9} {one['cpu_seconds']:6.1f} CPU s, {one['peak_rss_bytes'] / 2**20:.0f} MiB, "
            f"{one['file_bytes'] / 1e6:.1f} MB"
        )


if __name__ == "__main__":
    main()
