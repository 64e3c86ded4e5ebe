"""The corpus of films and the comparison of their pictures: both must be able to find a fault."""

from dataclasses import replace

import av
import numpy as np
import pytest

from benchmarks.corpus import clocks, ways
from benchmarks.corpus.case import ByFfmpeg, Case, UnavailableError, make
from benchmarks.corpus.compare import compare
from benchmarks.corpus.counter import number_in, numbered
from benchmarks.corpus.ffmpeg import Walked
from benchmarks.corpus.files import edit_list, edited, joined
from benchmarks.corpus.film import Film, write
from benchmarks.corpus.headers import clean_aperture, pixel_crop, turned
from benchmarks.corpus.identity import as_made
from benchmarks.corpus.table import CASES, EXPLAINED

SHORT = Film(options={"g": "10", "bf": "2", "sc_threshold": "0"}, count=30)


@pytest.fixture
def short(tmp_path):
    return write(SHORT, tmp_path / "short.mp4")


def decoded(path):
    """Return numbers and times of all pictures, read with PyAV alone."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [number_in(frame.to_ndarray(format="rgb24")) for frame in frames], [frame.time for frame in frames]


@pytest.mark.parametrize("size_px", [(96, 128), (63, 99)])
@pytest.mark.parametrize("number", [0, 5, 250, 65_535])
def test_a_number_is_read_again(number, size_px):
    assert number_in(numbered(number, size_px)) == number


def test_no_number_is_read_where_a_cell_is_grey():
    pixels = numbered(5)
    pixels[:30, :40] = 128
    assert number_in(pixels) is None


def test_the_table_has_a_hundred_files_with_different_names():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 100
    assert set(EXPLAINED) <= set(names)


def test_a_plain_film_has_no_differences(short):
    found = compare(Case("short.mp4", SHORT), short, as_made(SHORT))
    assert (found["ffmpeg"], found["walked"], found["differences"]) == (30, 30, [])


def test_pictures_that_are_not_shown_are_named(tmp_path):
    path = write(replace(SHORT, count=25), tmp_path / "short.mp4")
    found = compare(Case("short.mp4", SHORT), path, as_made(SHORT))
    assert "walk misses 5: 25-29" in found["differences"]


def test_pictures_at_other_times_are_named(tmp_path):
    path = write(replace(SHORT, ticks=lambda place: place + (place >= 20)), tmp_path / "short.mp4")
    found = compare(Case("short.mp4", SHORT), path, as_made(SHORT))
    assert "walk moves 10 by +0.040 to +0.040 s: 20-29" in found["differences"]
    assert any(one.startswith("asked: wrong picture") for one in found["differences"])


def test_ways_that_do_not_agree_are_named(short, monkeypatch):
    honest = ways.decoded

    def forgetful(path, seconds, workers):
        given = honest(path, seconds, workers)
        return given if workers == 1 else ways.Given(given.pixels[::-1], given.pts_seconds)

    monkeypatch.setattr(ways, "decoded", forgetful)
    found = compare(Case("short.mp4", SHORT), short, as_made(SHORT))
    assert "decode, 2 workers: 30 of 30 pictures differ" in found["differences"]


def test_a_number_that_may_be_missing_is_excused(tmp_path):
    path = write(replace(SHORT, count=29), tmp_path / "short.mp4")
    found = compare(Case("short.mp4", SHORT, may_miss=frozenset({29})), path, as_made(SHORT))
    assert not [one for one in found["differences"] if one.startswith("walk")]


def test_a_file_that_must_be_refused_and_is_not_is_named(short):
    found = compare(Case("short.mp4", SHORT, refused="encrypted"), short, as_made(SHORT))
    assert found["differences"] == ["not refused as encrypted"]


def test_a_damaged_picture_is_known_by_its_looks(short):
    pixels = as_made(SHORT).pixels.copy()
    pixels[7] = 128
    shown = Walked(pixels, [place / 25 for place in range(30)], (96, 128))
    found = compare(Case("short.mp4", SHORT, is_damaged=True), short, shown)
    assert "walk misses 1: #7" in found["differences"]


def test_what_needs_the_command_line_is_left_out_without_it(tmp_path):
    with pytest.raises(UnavailableError, match="needs FFmpeg's command line"):
        make(Case("short.mkv", SHORT, (ByFfmpeg(("-c", "copy")),)), tmp_path, None)


def test_an_encoder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UnavailableError, match="no_such_codec"):
        make(Case("short.mkv", replace(SHORT, codec="no_such_codec")), tmp_path, None)


def test_two_recordings_have_two_clocks(tmp_path):
    second = replace(SHORT, first=30)
    path = make(Case("two.ts", SHORT, (joined(second),), "ts"), tmp_path, None)
    numbers, seconds = decoded(path)
    assert numbers == list(range(60))
    assert seconds[30] == pytest.approx(seconds[0])


@pytest.mark.parametrize("ending", ["mkv", "ts", "flv"])
def test_one_time_is_wrong(tmp_path, ending):
    edit = {
        "mkv": clocks.matroska(clocks.one(10, 5000)),
        "ts": clocks.transport(clocks.one(10, 450_000)),
        "flv": clocks.flash(clocks.one(10, 5000)),
    }
    plain = replace(SHORT, options={"g": "10", "bf": "0"})
    path = make(Case(f"wrong.{ending}", plain, (edited(edit[ending]),), ending), tmp_path, None)
    _, seconds = decoded(path)
    steps = np.diff(sorted(seconds))
    assert steps[-1] > 3
    assert steps[:-1].max() < 0.1


def test_an_edit_list_shows_two_pieces(tmp_path):
    path = make(Case("two.mp4", SHORT, (edited(edit_list((0.4, 0), (0.4, 0.8))),)), tmp_path, None)
    assert decoded(path)[0] == [*range(10), *range(20, 30)]


def test_headers_turn_and_crop(tmp_path):
    turning = make(Case("turned.mp4", SHORT, (edited(turned(90)),)), tmp_path, None)
    with av.open(str(turning)) as container:
        assert abs(next(container.decode(video=0)).rotation) == 90
    for name, edit in (("crop.mkv", pixel_crop(top=16)), ("clap.mp4", clean_aperture(112, 72))):
        path = make(Case(name, SHORT, (edited(edit),), name[-3:]), tmp_path, None)
        assert decoded(path)[0] == list(range(30))
        assert (b"clap" if name == "clap.mp4" else b"\x54\xbb\x81\x10") in path.read_bytes()
