"""Pictures that LongPanda decodes from video files of every kind, against those of FFmpeg's command line.

    python -m benchmarks.pictures --ffmpeg PATH
    python -m benchmarks.pictures --ffmpeg PATH --only jump --also FOLDER --out other.json

PATH is the ffmpeg program, for example that of the package imageio-ffmpeg. The films are made first, under
runs/pictures; those that this version of PyAV cannot make are reported and skipped. Files are read in a process that is
replaced if it hangs.
"""

import argparse
import multiprocessing
import re
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from benchmarks.corpus.case import UnavailableError, make
from benchmarks.corpus.compare import compare
from benchmarks.corpus.ffmpeg import version, walk
from benchmarks.corpus.table import CASES, EXPLAINED
from benchmarks.measure import command, keep_result, machine, write_json

ROOT = Path(__file__).parent.parent
RESULT = Path(__file__).parent / "results" / "pictures.json"
LIMIT_SECONDS = 300
NO_FILMS = {".md", ".json", ".txt"}


def row(name: str, path: Path, folder: Path, ffmpeg: Path) -> dict[str, Any]:
    """Compare one file, which is made first if it belongs to the corpus."""
    case = next((one for one in CASES if one.name == name), None)
    try:
        made = path if case is None else make(case, folder, ffmpeg)
    except UnavailableError as error:
        return {"not_made": str(error)}
    try:
        found = compare(case, made, walk(ffmpeg, made))
    except Exception as error:
        found = {"ffmpeg": 0, "walked": 0, "notes": [], "differences": [f"{type(error).__name__}: {error}"]}
    return found | {"explained": EXPLAINED.get(name, "") if found["differences"] else ""}


class Reader:
    """A process that compares files, and is replaced if it hangs or dies."""

    def __init__(self) -> None:
        self._pool = self._start()

    @staticmethod
    def _start() -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))

    def row(self, *what: Any) -> dict[str, Any]:
        """Call the function `row` in the process."""
        try:
            return self._pool.submit(row, *what).result(LIMIT_SECONDS)
        except (TimeoutError, BrokenProcessPool) as error:
            self.close()
            self._pool = self._start()
            said = f"not done after {LIMIT_SECONDS} s" if isinstance(error, TimeoutError) else "the process died"
            return {"ffmpeg": 0, "walked": 0, "notes": [], "differences": [said], "explained": ""}

    def close(self) -> None:
        """End the process."""
        for process in list(self._pool._processes.values()):
            process.kill()
        self._pool.shutdown()


def main() -> None:
    """Make the films, compare all files, and write the result."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.pictures", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ffmpeg", type=Path, required=True, metavar="PATH")
    parser.add_argument("--only", nargs="+", default=[], metavar="REGEX", help="only files whose name matches one")
    parser.add_argument("--also", type=Path, metavar="FOLDER", help="a folder of other videos")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "pictures", help="folder of the films")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    if options.only:
        keep_result(parser, options.out, RESULT, "--only")
    rows, reader = [], Reader()
    for path in _paths(options):
        found = {"name": path.name} | reader.row(path.name, path, options.folder, options.ffmpeg)
        rows.append(found)
        print(line(found), flush=True)
    reader.close()
    print(summary(rows))
    shown = argparse.Namespace(**vars(options) | {"ffmpeg": "PATH", "folder": parser.get_default("folder")})
    shown.also = "FOLDER" if options.also else None
    written = {"machine": machine(), "command": command(parser, shown), "ffmpeg": version(options.ffmpeg)}
    write_json(options.out, {**written, "summary": summary(rows), "files": rows})


def _paths(options: argparse.Namespace) -> list[Path]:
    paths = [options.folder / case.name for case in CASES]
    if options.also is not None:
        paths += [path for path in sorted(options.also.iterdir()) if path.suffix not in NO_FILMS]
    return [path for path in paths if not options.only or any(re.search(one, path.name) for one in options.only)]


def line(found: dict[str, Any]) -> str:
    """Format one line of the printed table."""
    if "not_made" in found:
        return f"{found['name']:34} not made: {found['not_made']}"
    verdict = "ok" if not found["differences"] else "EXPLAINED" if found["explained"] else "DIFFERS"
    said = [f"({note})" for note in found["notes"]] + found["differences"]
    return f"{found['name']:34} {found['ffmpeg']:4} {found['walked']:4}  {verdict:9} " + "; ".join(said)


def summary(rows: Sequence[dict[str, Any]]) -> str:
    """Describe how many files differ."""
    made = [found for found in rows if "not_made" not in found]
    differ = [found for found in made if found["differences"]]
    without = [found for found in differ if not found["explained"]]
    return (
        f"{len(made)} files, {len(rows) - len(made)} not made: {len(without)} differ without a reason, "
        f"{len(differ) - len(without)} with one"
    )


if __name__ == "__main__":
    main()
