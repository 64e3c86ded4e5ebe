"""A folder that is no index of this version is refused, and the error says what it is."""

import json

import pytest

from longpanda.errors import IndexFileError
from longpanda.index.store import VERSION
from longpanda.inference import load

FPS = 1.0


@pytest.fixture(scope="module")
def panda(model_folder):
    return load(str(model_folder))


@pytest.fixture
def index(panda, film, tmp_path):
    return panda.index(film, tmp_path / "film.vidx", fps=FPS).path


@pytest.mark.parametrize("version", [2, 99])
def test_an_index_of_another_version_is_neither_asked_nor_continued(panda, film, index, version):
    header = index / "header.json"
    header.write_text(json.dumps(json.loads(header.read_text()) | {"version": version}))
    found = f"an index of version {version}; expected version {VERSION}, .*; index the video again"
    with pytest.raises(IndexFileError, match=found):
        panda.watch(index)
    with pytest.raises(IndexFileError, match=found):
        panda.index(film, index, fps=FPS, append=True)


def test_a_damaged_header_is_named(panda, index):
    (index / "header.json").write_text("{")
    with pytest.raises(IndexFileError, match=r"header\.json' cannot be read"):
        panda.watch(index)


def test_a_folder_without_an_index_is_named(panda, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(IndexFileError, match=r"is a directory without an index; .* make it: longpanda index VIDEO"):
        panda.watch(empty)
