"""Questions as rows of a table with typed columns, and back, so that what was exported is marked as what was made."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from longpanda.errors import ConfigError
from longpanda.files import atomic_path, not_writable
from longpanda.longwatch.manifest import VIDEO_SUFFIX
from longpanda.types import Sample

COLUMNS: Final = {
    "id": ("string", "unique: video, family and a number"),
    "video": ("string", "name of the file in `videos/`"),
    "question": ("string", "what is asked"),
    "instruction": ("string", "how to answer; to be given after the question"),
    "answer": ("string", "the true answer"),
    "family": ("string", "kind of question"),
    "template": ("string", "wording within the family"),
    "minutes": ("double", "length of the video"),
    "evidence_seconds": ("list of pairs", "start and end of all that shows the answer, as doubles"),
    "absent": ("bool", "asked about what is never shown: the answer is `never`"),
    "chance": ("double", "of guessing the answer where what is asked about was shown"),
    "depth": ("double", "where in the video the first evidence starts, 0 to 1; null where there is none"),
    "cluster": ("string", "what questions are not independent within: one script, filmed at every length"),
    "scene_seed": ("int64", "of the script"),
    "extra": ("string", "what else is known of the question, as JSON"),
}
"""Type and meaning of every column."""
_TYPED: Final = ("instruction", "template", "minutes", "chance", "depth", "cluster", "scene_seed")
"""Columns that are metadata of a sample."""


def rows_of(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """One row for each sample, in their order."""
    asked: Counter[tuple[str, str]] = Counter()
    rows = []
    for sample in samples:
        number = asked[sample.video, sample.family]
        asked[sample.video, sample.family] += 1
        rows.append(_row(sample, f"{sample.video}.{sample.family}.{number}"))
    return rows


def sample_of(row: Mapping[str, Any]) -> Sample:
    """The sample that a row was made of."""
    metadata = json.loads(row["extra"]) | {name: row[name] for name in _TYPED}
    return Sample(
        question=row["question"],
        target=row["answer"],
        family=row["family"],
        video=row["video"].removesuffix(VIDEO_SUFFIX),
        evidence_seconds=tuple((start, end) for start, end in row["evidence_seconds"]),
        metadata=metadata | ({"absent": True} if row["absent"] else {}),
    )


def check_parquet() -> None:
    """Refuse an environment that cannot write Parquet, before the work. Raises ConfigError where pyarrow is missing."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        remedy = "run: pip install 'longpanda[export]'"
        raise ConfigError("pyarrow is not installed", "the extra 'export', to write Parquet", remedy) from error


def write_parquet(samples: Sequence[Sample], target: Path) -> None:
    """Write a table of questions as a whole or not at all.

    Raises:
        ConfigError: pyarrow is missing, or the file cannot be written.
    """
    check_parquet()
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"string": pa.string(), "double": pa.float64(), "int64": pa.int64(), "bool": pa.bool_()}
    types["list of pairs"] = pa.list_(pa.list_(pa.float64()))
    schema = pa.schema([(name, types[kind]) for name, (kind, _) in COLUMNS.items()])
    with atomic_path(target) as name:
        try:
            pq.write_table(pa.Table.from_pylist(rows_of(samples), schema), name)
        except OSError as error:
            raise not_writable(target, error) from error


def _row(sample: Sample, id_: str) -> dict[str, Any]:
    metadata = dict(sample.metadata)
    row = {
        "id": id_,
        "video": f"{sample.video}{VIDEO_SUFFIX}",
        "question": sample.question,
        "answer": sample.target,
        "family": sample.family,
        "evidence_seconds": [list(span) for span in sample.evidence_seconds],
        "absent": bool(metadata.pop("absent", False)),
        **{name: metadata.pop(name, None) for name in _TYPED},
        "extra": json.dumps(metadata, sort_keys=True),
    }
    return {name: row[name] for name in COLUMNS}
