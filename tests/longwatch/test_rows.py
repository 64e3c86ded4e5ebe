import json
import sys

import pytest

from longpanda.errors import ConfigError
from longpanda.longwatch.rows import COLUMNS, check_parquet, rows_of, sample_of, write_parquet
from longpanda.longwatch.suite import SuitePlan

SAMPLES = list(SuitePlan(minutes=(3.0, 4.0), per_cell=9, seed=11, split="dev").samples())


def test_a_row_gives_its_sample_back():
    rows = rows_of(SAMPLES)
    assert [sample_of(json.loads(json.dumps(row))) for row in rows] == SAMPLES
    assert any(row["absent"] for row in rows)
    assert any(row["depth"] is None for row in rows)
    assert all(list(row) == list(COLUMNS) for row in rows)


def test_every_row_has_its_own_id():
    ids = [row["id"] for row in rows_of(SAMPLES)]
    assert len(set(ids)) == len(SAMPLES)
    assert ids == [sample.id for sample in SAMPLES]
    assert ids[0].startswith(f"{SAMPLES[0].video}.{SAMPLES[0].family}.")


def test_a_table_holds_the_rows_in_typed_columns(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: the extra 'export'")
    write_parquet(SAMPLES, tmp_path / "questions.parquet")
    table = parquet.read_table(tmp_path / "questions.parquet")
    assert table.to_pylist() == rows_of(SAMPLES)
    types = {name: str(table.schema.field(name).type) for name in ("minutes", "absent", "scene_seed", "depth")}
    assert types == {"minutes": "double", "absent": "bool", "scene_seed": "int64", "depth": "double"}
    with pytest.raises(ConfigError, match="no directory"):
        write_parquet(SAMPLES, tmp_path / "none" / "questions.parquet")


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for refused in (check_parquet, lambda: write_parquet(SAMPLES, tmp_path / "questions.parquet")):
        with pytest.raises(ConfigError, match=r"pip install 'longpanda\[export\]'"):
            refused()
    assert not list(tmp_path.iterdir())


def test_a_row_of_an_older_export_is_refused():
    row = {name: value for name, value in rows_of(SAMPLES[:1])[0].items() if name not in ("moves", "people")}
    with pytest.raises(ConfigError, match=r"a row without moves, people; .* export the suite again"):
        sample_of(row | {"extra": "{}"})
