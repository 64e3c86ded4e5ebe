"""What the steps of `longpanda data` share: which mixture, where its files are, and the table of its sources."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from longpanda.data.inventory import SourceInventory, Unusable
    from longpanda.data.manifest import Manifest
    from longpanda.data.mixture import Mixture
    from longpanda.data.record_index import RecordIndex


def add_mixture(parser: argparse.ArgumentParser) -> None:
    """The options that say which mixture, and where its files are."""
    add = parser.add_argument
    add("mixture", type=Path, help="the yaml of a mixture, such as a stage of VideoChat-Flash")
    about = "YAML with annotations:, roots:, substitute: and missing:, as a recipe has them (default: none)"
    add("--places", type=Path, metavar="FILE", help=about)
    about = "where annotation files are, by path or name (default: the folder of the mixture)"
    add("--annotations", type=Path, metavar="DIR", help=about)
    about = "where media are, by json_path, its file name or data_root; can be given more than once"
    add("--root", action="append", default=[], metavar="KEY=DIR", help=about)
    add("--leave-out", action="store_true", help="leave out and report sources that are not here (default: refuse)")
    add(
        "--manifest", type=Path, metavar="DIR", help="what is known of its media (default: beside it, MIXTURE.manifest)"
    )
    about = "where indexes of annotation files are kept (default: ~/.cache/longpanda/annotations)"
    add("--cache", type=Path, metavar="DIR", help=about)
    cores = os.cpu_count() or 1
    add("--processes", type=int, default=cores, metavar="N", help="that work at once (default: one per core)")


def open_mixture(options: argparse.Namespace) -> "tuple[Mixture, list[RecordIndex]]":
    """Read a mixture, and index its annotation files where that is needed. Raises ConfigError."""
    from longpanda.cli.bars import bar
    from longpanda.data.mixture import Places, read_mixture
    from longpanda.data.places import read_places
    from longpanda.data.record_index import default_cache, index_files, open_index
    from longpanda.errors import ConfigError

    if options.processes < 1:
        raise ConfigError(f"--processes {options.processes}", "at least 1", "correct it")
    places = Places() if options.places is None else read_places(options.places)
    places = replace(places, roots={**places.roots, **dict(map(_root, options.root))})
    if options.annotations is not None:
        places = replace(places, annotations=options.annotations)
    if options.leave_out:
        places = replace(places, missing="leave out")
    mixture = read_mixture(options.mixture, places)
    for notice in mixture.notices:
        print(f"note: {notice}", file=sys.stderr)
    cache = options.cache or default_cache()
    paths = [source.annotations for source in mixture.sources]
    new = [path for path in dict.fromkeys(paths) if open_index(path, cache) is None]
    with bar("indexing", sum(path.stat().st_size for path in new) / 2**20, "MiB of annotations") as shown:
        indexes = index_files(paths, cache, options.processes, lambda size_bytes: shown.update(size_bytes / 2**20))
    return mixture, indexes


def _root(word: str) -> tuple[str, str]:
    from longpanda.errors import ConfigError

    key, _, folder = word.rpartition("=")
    if not key or not folder:
        raise ConfigError(f"--root {word}", "KEY=DIR", "write for example --root k710=/data/k710")
    return key, str(Path(folder).absolute())


def counted_inventory(
    mixture: "Mixture",
    indexes: "Sequence[RecordIndex]",
    manifest: "Manifest",
    tell: "Callable[[Unusable], object] | None" = None,
) -> "list[SourceInventory]":
    """Count what can be used, with a bar. Raises ConfigError as `take_inventory`."""
    from longpanda.cli.bars import bar
    from longpanda.data.inventory import take_inventory
    from longpanda.data.selection import selected

    total = sum(len(selected(one.strategy, len(index))) for one, index in zip(mixture.sources, indexes, strict=True))
    with bar("counting", total, "records") as shown:
        return take_inventory(mixture, indexes, manifest, shown.update, tell)


def aligned(rows: Iterable[Sequence[str]]) -> str:
    """A table as text: the first column to the left, the others to the right."""
    listed = list(rows)
    widths = [max(len(row[column]) for row in listed) for column in range(len(listed[0]))]
    lines = []
    for row in listed:
        cells = [
            f"{row[0]:{widths[0]}}",
            *(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def reasons(inventory: "Sequence[SourceInventory]", mixture: "Mixture") -> "list[str]":
    """A line for each reason for which records of a source cannot be used, with the first of them; most first."""
    found = [(one.unusable[reason], reason, first) for one in inventory for reason, first in one.first.items()]
    found.sort(key=lambda row: -row[0])
    lines = [f"{count:,} x {reason}: {first.message}" for count, reason, first in found]
    return lines + [f"left out: {one.name}: {one.reason}" for one in mixture.left_out]
