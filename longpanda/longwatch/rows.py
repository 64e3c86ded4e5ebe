"""Questions as rows of a table with typed columns, and back, so that what was exported is marked as what was made."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from longpanda.errors import ConfigError
from longpanda.files import atomic_path, not_writable
from longpanda.longwatch.manifest import VIDEO_SUFFIX
from longpanda.types import Facts, Sample

COLUMNS: Final = {
    "id": ("string", "unique: video, family and a digest of the question"),
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
    "moves": ("int64", "how often the object moved; null where that is not asked"),
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
    """One row for each sample, in their order."""
    return [_row(sample) for sample in samples]


def sample_of(row: Mapping[str, Any]) -> Sample:
    """The sample that a row was made of."""
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
