"""A saved model and a short film."""

from pathlib import Path

import av
import pytest
from tiny import save, scenery, squeezing, tiny

from longpanda.index import load
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
def compressed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a causal compressor whose blocks do something: 4 tokens for each 2 square frames."""
    return save(squeezing("causal"), tmp_path_factory.mktemp("models") / "compressed")


@pytest.fixture(scope="session")
def recording(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same 12 seconds as MPEG-TS, which can be cut anywhere, as a recording in progress is."""
    path = tmp_path_factory.mktemp("films") / "recording.ts"
    with av.open(str(film)) as source, av.open(str(path), "w", format="mpegts") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return path


@pytest.fixture
def squeezed(compressed_folder):
    return load(str(compressed_folder))
