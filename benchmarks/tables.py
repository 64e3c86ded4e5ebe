"""Write the measured tables of README.md and the documents from benchmarks/results/*.json.

    python -m benchmarks.tables            # rewrite the tables that are out of date
    python -m benchmarks.tables --check    # change nothing; exit with 1 if a table is out of date

A table is between the lines `<!-- begin: NAME -->` and `<!-- end: NAME -->`, where NAME is the name of a result file.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import ablation_tables, backbone_tables, data_tables, picture_tables, score_tables, speed_tables
from benchmarks.blocks import Result

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/benchmarks.md", "docs/index.md", "docs/longwatch.md", "docs/backbones.md", "docs/data.md")
MARKER = re.compile(r"^<!-- (begin|end): (\S+) -->$")

TABLES: dict[str, Callable[[Result], str]] = {
    "long_nano_suite": score_tables.long_nano_suite,
    "long_nano_needle": score_tables.long_nano_needle,
    "ablation": ablation_tables.ablation,
    "scan_cpu": speed_tables.scan_cpu,
    "scan_lengths_cpu": speed_tables.scan_lengths_cpu,
    "nano_scores": score_tables.nano_scores,
    "ask_cpu": speed_tables.ask_cpu,
    "stab_cpu": speed_tables.stab,
    "stab_forms_cpu": speed_tables.stab,
    "stab_cuda": speed_tables.stab,
    "longwatch_scores": score_tables.longwatch_scores,
    "longwatch_audit": score_tables.longwatch_audit,
    "film_cpu": speed_tables.film_cpu,
    "decode_cpu": speed_tables.decode_cpu,
    "index_cpu": speed_tables.index_cpu,
    "evidence": score_tables.evidence,
    "backbones": backbone_tables.backbones,
    "pictures": picture_tables.pictures,
    "records": data_tables.records,
    "packing": data_tables.packing,
    "loader": data_tables.loader,
    "annotated": data_tables.annotated,
}
"""The function that formats each result file."""
SUITES = {
    "long_nano_suite": "long_nano",
    "long_nano_needle": "long_nano",
    "ablation": "ablation",
    "scan_cpu": "scan",
    "scan_lengths_cpu": "scan",
    "nano_scores": "nano",
    "ask_cpu": "ask",
    "film_cpu": "film",
    "decode_cpu": "decode",
    "index_cpu": "index",
    "evidence": "evidence",
    "backbones": "backbones",
    "pictures": "pictures",
    "records": "records",
    "packing": "packing",
    "annotated": "annotated",
    "loader": "loader",
    "longwatch_scores": "longwatch",
    "longwatch_audit": "longwatch",
}
"""The benchmark that writes each result, if it is not `benchmarks.stab`."""


def written(name: str, results: Path) -> str:
    """Return the text of a block.

    Raises:
        ValueError: there is no table of this name.
    """
    if name not in TABLES:
        raise ValueError(f"unknown table '{name}'; known: {', '.join(TABLES)}")
    path = results / f"{name}.json"
    if not path.is_file():
        suite = SUITES.get(name, "stab")
        return f"*Not measured yet: run `python -m benchmarks.{suite}` to fill this table.*"
    return TABLES[name](json.loads(path.read_text()))


def renewed(page: str, results: Path) -> str:
    """Return a page with every block rewritten; all other text stays.

    Raises:
        ValueError: a table is unknown, or markers do not match.
    """
    out: list[str] = []
    inside: str | None = None
    for line in page.splitlines():
        kind, name = match.groups() if (match := MARKER.match(line)) else (None, None)
        if kind == "begin" and inside is None and name is not None:
            inside = name
            out += [line, written(name, results)]
        elif kind == "end" and name == inside:
            inside = None
            out.append(line)
        elif kind is not None:
            raise ValueError(f"'{line}' does not pair; open block: {inside}")
        elif inside is None:
            out.append(line)
    if inside is not None:
        raise ValueError(f"the block '{inside}' has no end")
    return "\n".join(out) + "\n"


def stale(root: Path = ROOT) -> list[Path]:
    """Return the pages whose tables differ from the results."""
    results = root / "benchmarks" / "results"
    pages = [root / page for page in PAGES if (root / page).is_file()]
    return [page for page in pages if renewed(page.read_text(), results) != page.read_text()]


def main() -> int:
    """Rewrite or check the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a table is out of date")
    options = parser.parse_args()
    pages = stale()
    for page in pages:
        print(f"{page.relative_to(ROOT)}: {'out of date, run make tables' if options.check else 'written'}")
        if not options.check:
            page.write_text(renewed(page.read_text(), ROOT / "benchmarks" / "results"))
    return int(options.check and bool(pages))


if __name__ == "__main__":
    sys.exit(main())
