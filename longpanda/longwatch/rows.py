"""Conversion of questions to rows of a table with typed columns and back, so that exported questions can be marked."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from longpanda.errors import ConfigError
from longpanda.files import atomic_path, not_writable
from longpanda.longwatch.manifest import VIDEO_SUFFIX
from longpanda.types import Facts, Sample

COLUMNS: Final = {
    "id": ("string", "unique: video, family and a digest of the question"),
    "video": ("string", "file name in `videos/`"),
    "question": ("string", "text of the question"),
    "instruction": ("string", "how to answer; append it to the question"),
    "answer": ("string", "the true answer"),
    "family": ("string", "type of question"),
    "template": ("string", "wording within the family"),
    "minutes": ("double", "length of the video in minutes"),
    "evidence_seconds": ("list of pairs", "start and end of each interval that shows the answer, as doubles"),
    "absent": ("bool", "whether the question is about something never shown: the answer is `never`"),
    "chance": ("double", "probability of guessing the answer, for something that was shown"),
    "depth": ("double", "where in the video the first evidence starts, 0 to 1; null without evidence"),
    "cluster": ("string", "questions of one cluster are not independent: one script, filmed at every length"),
    "scene_seed": ("int64", "seed of the script"),
    "moves": ("int64", "how often the object moved; null for other questions"),
    "people": ("list of strings", "everyone who had the object"),
    "footage": ("string", "name of the natural video that cards were inserted into"),
}
"""Type and meaning of every column."""
_FACTS: Final = (
    "instruction",
    "template",
    "minutes",
    "absent",
    "chance",
    "depth",
    "cluster",
    "scene_seed",
    "moves",
    "people",
    "footage",
)
"""Columns that are fields of `Facts`."""


def rows_of(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Return one row per sample, in order."""
    return [_row(sample) for sample in samples]


def sample_of(row: Mapping[str, Any]) -> Sample:
    """Return the sample from which a row was made."""
    facts = {name: row[name] for name in _FACTS} | {"people": tuple(row["people"])}
    return Sample(
        question=row["question"],
        target=row["answer"],
        family=row["family"],
        video=row["video"].removesuffix(VIDEO_SUFFIX),
        evidence_seconds=tuple((start, end) for start, end in row["evidence_seconds"]),
        facts=Facts(**facts),
        id=row["id"],
    )


def check_parquet() -> None:
    """Check that Parquet can be written. Call it before long work. Raises ConfigError if pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        remedy = "run: pip install 'longpanda[export]'"
        raise ConfigError("pyarrow is not installed", "the extra 'export', to write Parquet", remedy) from error


def write_parquet(samples: Sequence[Sample], target: Path) -> None:
    """Write a table of questions to a Parquet file, atomically.

    Raises:
        ConfigError: pyarrow is not installed, or the file cannot be written.
    """
    check_parquet()
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"string": pa.string(), "double": pa.float64(), "int64": pa.int64(), "bool": pa.bool_()}
    types |= {"list of pairs": pa.list_(pa.list_(pa.float64())), "list of strings": pa.list_(pa.string())}
    schema = pa.schema([(name, types[kind]) for name, (kind, _) in COLUMNS.items()])
    with atomic_path(target) as name:
        try:
            pq.write_table(pa.Table.from_pylist(rows_of(samples), schema), name)
        except OSError as error:
            raise not_writable(target, error) from error


def _row(sample: Sample) -> dict[str, Any]:
    row = {
        "id": sample.id,
        "video": f"{sample.video}{VIDEO_SUFFIX}",
        "question": sample.question,
        "answer": sample.target,
        "family": sample.family,
        "evidence_seconds": [list(span) for span in sample.evidence_seconds],
        **{name: getattr(sample.facts, name) for name in _FACTS},
        "people": list(sample.facts.people),
    }
    return {name: row[name] for name in COLUMNS}
