"""The stage yamls of VideoChat-Flash in the form in which they are shipped, read with generated annotation files."""

from collections import Counter

import pytest

from benchmarks.mixture_files import REMOTE, STAGES, TWICE, roots, table, write_annotations, write_yaml
from longpanda.data.mixture import Places, read_mixture
from longpanda.data.mixture_records import open_records
from longpanda.data.selection import selected
from longpanda.errors import ConfigError

PUBLISHED = {
    "stage1": {"image": 558_128, "video": 481_000},
    "stage2": {"image": 3_833_688, "video": 3_106_000, "text": 143_000},
    "stage3": {"image": 1_128_178, "video": 2_648_807},
    "stage4": {"image": 447_825, "video": 925_430},
}
"""Records that each stage uses of files whose size is known."""
SHARE = 0.0002


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("videochat_flash")
    write_annotations(table(), root / "annotations", SHARE)
    for stage in STAGES:
        write_yaml(stage, table(), root)
    return root


def test_the_table_has_the_published_counts():
    assert sum(file.count or 0 for file in table()) == 12_566_158
    for stage, expected in PUBLISHED.items():
        counts = Counter()
        for file in table():
            if stage in file.strategies and file.count is not None:
                counts[file.kind] += len(selected(file.strategies[stage], file.count))
        assert counts == expected


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_read_and_counted(folder, stage):
    path = folder / f"{STAGES[stage]}.yaml"
    mixture = read_mixture(path, Places(folder / "annotations", roots(stage, table(), folder)))
    assert len(mixture.sources) == {"stage1": 2, "stage2": 12, "stage3": 104, "stage4": 106}[stage]
    assert len(mixture.notices) == (stage in ("stage3", "stage4"))
    records = open_records(mixture, folder / "indexes")
    expected = Counter()
    for file in table():
        if stage in file.strategies:
            expected[file.kind] += len(selected(file.strategies[stage], max(1, round(file.records * SHARE))))
    found = Counter()
    for kinds in records.kinds():
        found.update(kinds)
    assert +found == expected
    assert sum(records.counts) == expected.total(), "no record is of no use"


def test_the_yamls_have_what_makes_the_shipped_ones_hard(folder):
    text = (folder / f"{STAGES['stage3']}.yaml").read_text()
    assert f"/{REMOTE} # " in text
    assert text.count(TWICE) == 1
    entry = text[text.index(TWICE) :].split("json_path")[0]
    assert entry.count("data_root") == 2
    with pytest.raises(ConfigError, match="is a web page"):
        read_mixture(folder / f"{STAGES['stage3']}.yaml", Places(folder / "annotations"))
