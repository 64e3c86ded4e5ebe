"""Fixtures that tests of the index and of asking share: a saved model and short films."""

from pathlib import Path

import pytest
from tiny import as_recording, save, scenery, squeezing, tiny

from longpanda.inference import load
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


@pytest.fixture(scope="session")
def holed_film(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a tenth of its pictures' bytes zero."""
    data = bytearray(film.read_bytes())
    first = data.index(b"mdat") + 4
    last = data.index(b"moov") - 4 if data.index(b"moov") > first else len(data)
    length = (last - first) // 10
    data[first + 5 * length : first + 6 * length] = bytes(length)
    path = tmp_path_factory.mktemp("films") / "hole.mp4"
    path.write_bytes(data)
    return path


@pytest.fixture(scope="session")
def compressed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a causal compressor whose blocks do something: 4 tokens for each 2 square frames."""
    return save(squeezing("causal"), tmp_path_factory.mktemp("models") / "compressed")


@pytest.fixture(scope="session")
def recording(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same 12 seconds as MPEG-TS, which can be cut anywhere, as a recording in progress is."""
    return as_recording(film, tmp_path_factory.mktemp("films") / "recording.ts")


@pytest.fixture
def squeezed(compressed_folder):
    return load(str(compressed_folder))
