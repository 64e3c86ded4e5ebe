"""The file that says where a mixture's files are."""

import pytest

from longpanda.data.mixture import Places
from longpanda.data.places import read_places
from longpanda.errors import ConfigError


def test_a_file_of_places(tmp_path):
    path = tmp_path / "places.yaml"
    path.write_text("annotations: notes\nroots: {a.json: {path: media, frames_fps: 3}}\nmissing: leave out\n")
    assert read_places(path) == Places(
        tmp_path / "notes", {"a.json": {"path": "media", "frames_fps": 3}}, {}, "leave out"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("root: {}", "unknown key 'root'.*did you mean 'roots'"),
        ("roots: media", "roots 'media'; expected names with a value each"),
        ("annotations: 3", "annotations 3; expected text"),
        ("", "without keys"),
        ("a: [", "is not YAML"),
    ],
)
def test_what_is_no_file_of_places_is_refused(tmp_path, text, message):
    (tmp_path / "places.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_places(tmp_path / "places.yaml")
    with pytest.raises(ConfigError, match="no file"):
        read_places(tmp_path / "none.yaml")
