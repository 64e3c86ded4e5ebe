"""Mixtures: yamls of VideoChat-Flash as they are, where their files are, and what is refused."""

from pathlib import Path

import pytest

from longpanda.data.mixture import Places, Root, read_mixture
from longpanda.errors import ConfigError

WEB = "https://huggingface.co/datasets/x/y"


@pytest.fixture
def written(tmp_path):
    """Writes a yaml, beside folders and annotation files that it may name."""
    for name in ("annotations/a.json", "annotations/video/b (c,d).jsonl", "annotations/m4.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("[]")
    for folder in ("media", "frames"):
        (tmp_path / folder).mkdir()

    def write(text):
        path = tmp_path / "stage.yaml"
        path.write_text(text)
        return path

    return write


def test_entries_become_sources(written, tmp_path):
    path = written(
        """
datasets:
  # images
  - json_path: annotations/a.json # 21942
    sampling_strategy: "first:25%"
    data_root: media

  - json_path: annotations/video/b (c,d).jsonl
    sampling_strategy: all
    video_read_type: img
    data_root: frames
    frames_fps: 3
    media_type: video
    repeat: 0.5
"""
    )
    one, other = read_mixture(path).sources
    assert (one.name, one.annotations, one.strategy) == (
        "annotations/a.json",
        tmp_path / "annotations/a.json",
        "first:25%",
    )
    assert (one.root, one.is_frames, one.media_type, one.repeat) == (Root(tmp_path / "media"), False, "", 1.0)
    assert (other.root, other.is_frames, other.media_type) == (Root(tmp_path / "frames", 3.0), True, "video")
    assert other.repeat == 0.5


@pytest.mark.parametrize("key", ["annotations/a.json", "a.json", WEB])
@pytest.mark.parametrize("folder", ["media", "{absolute}/media"])
def test_a_web_page_is_mapped_to_a_folder(written, tmp_path, key, folder):
    path = written(f"datasets: [{{json_path: annotations/a.json, data_root: '{WEB}'}}]")
    places = Places(roots={key: folder.format(absolute=tmp_path)})
    assert read_mixture(path, places).sources[0].root == Root(tmp_path / "media")
    with pytest.raises(ConfigError, match=rf"data_root '{WEB}' is a web page; .*map it: roots: {{'{WEB}': FOLDER}}"):
        read_mixture(path)


def test_annotations_are_found_in_a_folder_by_path_or_name(written, tmp_path):
    path = written(f"datasets: [{{json_path: {WEB}/m4.json}}, {{json_path: far/away/a.json}}]")
    elsewhere = tmp_path / "annotations"
    found = read_mixture(path, Places(annotations=elsewhere)).sources
    assert [source.annotations for source in found] == [elsewhere / "m4.json", elsewhere / "a.json"]
    with pytest.raises(ConfigError, match=r"no file '.*m4.json'; .*set annotations: FOLDER"):
        read_mixture(path)


def test_a_key_that_stands_twice_is_told_or_refused(written):
    text = "datasets:\n  - json_path: annotations/a.json\n    data_root: media\n\n    data_root: {}\n"
    mixture = read_mixture(written(text.format("media")))
    assert len(mixture.sources) == 1
    assert mixture.notices == (f"line 5 of '{mixture.path}' writes data_root a second time, with the same value",)
    with pytest.raises(ConfigError, match=r"line 5 of .*: data_root 'frames' after 'media' in one entry"):
        read_mixture(written(text.format("frames")))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("json_path: annotations/a.json, sampling: all", "unknown key 'sampling'.*did you mean 'sampling_strategy'"),
        ("json_path: annotations/a.json, sampling_strategy: random", "'annotations/a.json' in .*: sampling_strategy"),
        ("json_path: annotations/a.json, video_read_type: cv2", "video_read_type 'cv2'; expected decord, av"),
        ("json_path: annotations/a.json, media_type: movie", "media_type 'movie'"),
        ("json_path: annotations/a.json, repeat: 0", "repeat 0; expected a number above 0"),
        ("json_path: annotations/a.json, data_root: nowhere", "no folder '.*nowhere'"),
        ("json_path: annotations/a.json, video_read_type: img, data_root: frames", "without a frame rate"),
        ("json_path: annotations.json", "no file '.*annotations.json'"),
        ("json_path: annotations/a.txt", "json_path 'annotations/a.txt'"),
        ("sampling_strategy: all", "json_path None"),
    ],
)
def test_what_cannot_be_meant_is_refused(written, entry, message):
    with pytest.raises(ConfigError, match=message):
        read_mixture(written(f"datasets: [{{{entry}}}]"))


def test_a_root_that_nothing_uses_and_a_folder_as_a_file_are_refused(written, tmp_path):
    path = written("datasets: [{json_path: annotations/a.json}]")
    with pytest.raises(ConfigError, match=r"a root for 'a.jsonl', which no entry .*did you mean 'a.json'"):
        read_mixture(path, Places(roots={"a.jsonl": "media"}))
    (tmp_path / "annotations/folder.json").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        read_mixture(written("datasets: [{json_path: annotations/folder.json}]"))


@pytest.mark.parametrize(
    "text", ["", "datasets: []", "datasets: [a]", "[1]", "a: [", "datasets: [{json_path: a.json}, 7]"]
)
def test_what_is_no_mixture_is_refused(written, text):
    with pytest.raises(ConfigError):
        read_mixture(written(text))
    with pytest.raises(ConfigError, match="no file"):
        read_mixture(Path("nowhere.yaml"))


def test_a_declared_substitute_takes_the_place_of_a_dead_source(written, tmp_path):
    path = written("datasets: [{json_path: far/webvid.json, data_root: webvid}, {json_path: annotations/a.json}]")
    other = {"json_path": "annotations/m4.json", "data_root": "media", "sampling_strategy": "first:9", "repeat": 2}
    one, two = read_mixture(path, Places(substitute={"webvid.json": other})).sources
    assert (one.name, one.stands_for, one.strategy, one.repeat) == (
        "annotations/m4.json",
        "far/webvid.json",
        "first:9",
        2,
    )
    assert (one.root, two.stands_for) == (Root(tmp_path / "media"), "")
    with pytest.raises(
        ConfigError, match=r"a substitute for 'webvid', which no entry .*did you mean 'far/webvid.json'"
    ):
        read_mixture(path, Places(substitute={"webvid": other}))
    with pytest.raises(ConfigError, match=r"substitute: {'webvid.json': 'm4.json'}; expected an entry"):
        read_mixture(path, Places(substitute={"webvid.json": "m4.json"}))
    with pytest.raises(ConfigError, match=r"'annotations/a.json' twice"):
        read_mixture(path, Places(substitute={"webvid.json": {"json_path": "annotations/a.json"}}))


def test_what_is_not_here_is_left_out_where_that_is_allowed(written):
    path = written(
        f"""
datasets:
  - {{json_path: annotations/a.json}}
  - {{json_path: gone.json}}
  - {{json_path: annotations/m4.json, data_root: nowhere}}
  - {{json_path: "annotations/video/b (c,d).jsonl", data_root: "{WEB}"}}
"""
    )
    mixture = read_mixture(path, Places(missing="leave out"))
    assert [source.name for source in mixture.sources] == ["annotations/a.json"]
    assert [one.name for one in mixture.left_out] == [
        "gone.json",
        "annotations/m4.json",
        "annotations/video/b (c,d).jsonl",
    ]
    reasons = " ".join(one.reason for one in mixture.left_out)
    assert all(word in reasons for word in ("no file", "no folder", "is a web page"))
    with pytest.raises(ConfigError, match="no file"):
        read_mixture(path)
    with pytest.raises(ConfigError, match=r"missing: 'skip'; expected fail or leave out"):
        read_mixture(path, Places(missing="skip"))


@pytest.mark.parametrize("entry", ["json_path: annotations/a.json, sampling_strategy: random", "json_path: gone.json"])
def test_leaving_out_hides_no_mistake(written, entry):
    with pytest.raises(ConfigError):
        read_mixture(written(f"datasets: [{{{entry}}}]"), Places(missing="leave out"))


def test_the_hash_of_a_mixture_is_of_what_it_shows(written, tmp_path):
    text = "datasets: [{{json_path: annotations/a.json, data_root: media, repeat: {}, sampling_strategy: '{}'}}]"
    mixture = read_mixture(written(text.format(1, "all")))
    (tmp_path / "moved").mkdir()
    moved = Places(roots={"a.json": str(tmp_path / "moved")})
    same = read_mixture(mixture.path, moved).sha256(["f00"])
    assert mixture.sha256(["f00"]) == same, "where the media are does not matter"
    others = [mixture.sha256(["ba5"])]
    others += [read_mixture(written(text.format(*how))).sha256(["f00"]) for how in ((2, "all"), (1, "first:1"))]
    assert len({same, *others}) == 4


def test_licences_are_noted(written):
    text = "datasets: [{json_path: annotations/a.json, licence: CC BY 4.0}, {json_path: annotations/m4.json}]"
    path = written(text)
    sources = read_mixture(path, Places(licences={"m4.json": "ask first"})).sources
    assert [source.licence for source in sources] == ["CC BY 4.0", "ask first"]
    with pytest.raises(ConfigError, match=r"a licence for 'm5\.json', which no entry"):
        read_mixture(path, Places(licences={"m5.json": "x"}))
    with pytest.raises(ConfigError, match="licence 4; expected text"):
        read_mixture(written("datasets: [{json_path: annotations/a.json, licence: 4}]"))
