"""The movie most tests share."""

from pathlib import Path

import pytest
from movies import B_FRAMES, numbered, write_movie


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 frames, 30 fps, B frames, a keyframe every 60 frames."""
    path = tmp_path_factory.mktemp("movies") / "plain.mp4"
    return write_movie(path, [numbered(n) for n in range(300)], options=B_FRAMES)
