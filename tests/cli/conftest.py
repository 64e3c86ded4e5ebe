"""A model, a recipe, programs that answer, and files, good and bad, for the command line."""

import sys
from pathlib import Path

import pytest
from tiny import save, scenery, tiny

from longpanda.video import encode


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save(tiny(notice="a random model"), tmp_path_factory.mktemp("models") / "tiny"))


RECIPE = """
name: small
model:
  stab_size: nano
  text: {model_type: llama, hidden_size: 16, intermediate_size: 16, num_hidden_layers: 1, num_attention_heads: 2}
  sampling: {frames: 2}
stages:
  - {name: one, steps: 2, batch: 1, learning_rate: 1e-3,
     data: {kind: longwatch, frames: [2], families: [needle, count]}}
workers: 0
threads: 1
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    """Of a model that is trained in no time."""
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE)
    return str(path)


@pytest.fixture
def program(tmp_path: Path):
    """A command that runs some code; each replaces the one before."""

    def write(code: str) -> str:
        path = tmp_path / "program.py"
        path.write_text(code)
        return f"{sys.executable} {path}"

    return write


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> str:
    """4 seconds."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    encode(scenery(4), path, 10, preset="ultrafast", gop=5)
    return str(path)


@pytest.fixture(scope="session")
def bad(film: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Names of things that are no videos."""
    import av
    import numpy as np

    folder: Path = tmp_path_factory.mktemp("bad")
    (folder / "text.mp4").write_text("once upon a time\n" * 100)
    (folder / "empty.mp4").write_bytes(b"")
    with av.open(str(folder / "sound.m4a"), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        for start in range(0, 8000, 1000):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1000), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 8000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    names = {"text": "text.mp4", "empty": "empty.mp4", "sound": "sound.m4a", "none": "none.mp4", "folder": ""}
    return {"film": film} | {key: str(folder / name) for key, name in names.items()}
