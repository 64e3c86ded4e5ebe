"""`longpanda data prepare`: every media file of a mixture is looked at once."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from longpanda.cli.data_sources import add_mixture, aligned, counted_inventory, open_mixture, reasons

if TYPE_CHECKING:
    from longpanda.data.inventory import SourceInventory
    from longpanda.data.mixture import Mixture

UNUSABLE: Final = "unusable.jsonl"
REPORT: Final = "report.json"
_REASONS_SAID: Final = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the step."""
    add_mixture(parser)
    about = "seconds for one file; a decoder that takes longer is stopped, and the file counts as bad (default: 60)"
    parser.add_argument("--limit", type=float, default=60.0, metavar="S", help=about)
    about = "look again at files at which a decoder was stopped or crashed (default: no)"
    parser.add_argument("--retry", action="store_true", help=about)
    parser.set_defaults(step_run=run)


def run(options: argparse.Namespace) -> None:
    """Look at every image, video and folder of frames of a mixture once; run it again to go on, or after changes."""
    from longpanda.cli.bars import bar
    from longpanda.data.manifest import check_parquet, count_media, manifest_folder, prepare
    from longpanda.data.probing import check_pebble
    from longpanda.errors import ConfigError, counted
    from longpanda.files import atomic_path

    if not options.limit > 0:
        raise ConfigError(f"--limit {options.limit:g}", "seconds above 0", "correct it")
    check_parquet()
    check_pebble()
    mixture, indexes = open_mixture(options)
    folder = options.manifest or manifest_folder(options.mixture)
    with bar("looking at media", count_media(mixture, indexes), "media") as shown:
        manifest = prepare(
            mixture,
            indexes,
            folder,
            processes=options.processes,
            limit_seconds=options.limit,
            is_retried=options.retry,
            progress=shown.update,
        )
    with atomic_path(folder / UNUSABLE) as name, open(name, "w", encoding="utf-8") as file:
        inventory = counted_inventory(mixture, indexes, manifest, lambda one: file.write(one.as_line()))
    sha256 = mixture.sha256([index.sha256 for index in indexes])
    _write_report(mixture, inventory, sha256, folder / REPORT)
    print_inventory(mixture, inventory)
    print(f"{counted(len(manifest), 'media file')} in {folder}; what cannot be used is listed in {folder / UNUSABLE}")
    print(f"mixture {sha256}")


def _write_report(mixture: "Mixture", inventory: "list[SourceInventory]", sha256: str, target: Path) -> None:
    from longpanda.files import write_atomic

    report = {
        "mixture": str(mixture.path),
        "sha256": sha256,
        "sources": [one.as_dict() for one in inventory],
        "left_out": {one.name: one.reason for one in mixture.left_out},
    }
    write_atomic(target, json.dumps(report, indent=1) + "\n")


def print_inventory(mixture: "Mixture", inventory: "list[SourceInventory]") -> None:
    """The table of sources, and why records cannot be used."""
    from longpanda.data.inventory import rows_of

    print(aligned(rows_of(inventory, mixture)))
    lines = reasons(inventory, mixture)
    for line in lines[:_REASONS_SAID]:
        print(line)
    if len(lines) > _REASONS_SAID:
        print(f"and {len(lines) - _REASONS_SAID} more reasons")
