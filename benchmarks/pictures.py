"""Which pictures LongPanda shows of films of every kind, beside all that FFmpeg's command line decodes.

    python -m benchmarks.pictures --ffmpeg PATH
    python -m benchmarks.pictures --ffmpeg PATH --only jump --also FOLDER --out other.json

PATH is FFmpeg's program, for example that of the package imageio-ffmpeg. The films are made first, under runs/pictures.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.corpus.case import Case, UnavailableError, make
from benchmarks.corpus.compare import compare
from benchmarks.corpus.table import CASES
from benchmarks.measure import command, keep_result, machine, write_json

ROOT = Path(__file__).parent.parent
RESULT = Path(__file__).parent / "results" / "pictures.json"


def row(case: Case | None, path: Path, ffmpeg: Path) -> dict[str, Any]:
    """What was found of one file."""
    return {"name": path.name, **compare(case, path, ffmpeg)}


def main() -> None:
    """Make the films, let both read them, write."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.pictures", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ffmpeg", type=Path, required=True, metavar="PATH")
    parser.add_argument("--only", nargs="+", default=[], metavar="REGEX", help="files whose name holds one of these")
    parser.add_argument("--also", type=Path, metavar="FOLDER", help="a folder of other videos")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "pictures", help="where the films are made")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    if options.only:
        keep_result(parser, options.out, RESULT, "--only")
    rows: list[dict[str, Any]] = []
    for case, path in _files(options):
        try:
            found = row(case, make(case, options.folder, options.ffmpeg) if case else path, options.ffmpeg)
        except UnavailableError as error:
            found = {"name": path.name, "not_made": str(error)}
        rows.append(found)
        print(line(found), flush=True)
    print(summary(rows))
    write_json(options.out, {"machine": machine(), "command": command(parser, options), "files": rows})


def _files(options: argparse.Namespace) -> list[tuple[Case | None, Path]]:
    files: list[tuple[Case | None, Path]] = [(case, options.folder / case.name) for case in CASES]
    if options.also is not None:
        files += [(None, path) for path in sorted(options.also.iterdir()) if path.suffix not in (".md", ".json")]
    patterns: Sequence[str] = options.only
    return [(case, path) for case, path in files if not patterns or any(re.search(one, path.name) for one in patterns)]


def line(found: dict[str, Any]) -> str:
    """One line of the table."""
    if "not_made" in found:
        return f"{found['name']:34} not made: {found['not_made']}"
    counts = f"{found['ffmpeg']:4} {found['walked']:4}"
    verdict = "ok" if not found["differences"] else "EXPLAINED" if found["explained"] else "DIFFERS"
    return f"{found['name']:34} {counts}  {verdict:9} " + "; ".join(_notes(found) + found["differences"])


def _notes(found: dict[str, Any]) -> list[str]:
    """What is no difference, but worth knowing."""
    notes = [f"(starts at {found['starts']:.2f} s)"] if "starts" in found else []
    notes += [f"({found['marked_corrupt']} marked corrupt)"] if found.get("marked_corrupt") else []
    return notes + ([f"(refused: {found['refused'][:60]})"] if "refused" in found and not found["differences"] else [])


def summary(rows: Sequence[dict[str, Any]]) -> str:
    """How many files differ."""
    made = [found for found in rows if "not_made" not in found]
    differ = [found for found in made if found["differences"]]
    open_ones = [found for found in differ if not found["explained"]]
    return f"{len(made)} files of {len(rows)}: {len(open_ones)} differ without a reason, {len(differ)} in all"


if __name__ == "__main__":
    main()
