"""A saved model and a short film."""

from pathlib import Path

import pytest
from tiny import save, scenery, tiny

from longpanda.video import encode


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tiny(notice="a random model"), tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 seconds."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    encode(scenery(12), path, 10, preset="ultrafast", gop=5)
    return path


@pytest.fixture(scope="session")
def cut_film(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 60 % of its bytes."""
    path = tmp_path_factory.mktemp("films") / "cut.mp4"
    path.write_bytes(film.read_bytes()[: film.stat().st_size * 6 // 10])
    return path
