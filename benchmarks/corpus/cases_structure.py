"""Files of the corpus: structures of the stream, and headers about the shape of the picture."""

from fractions import Fraction

from benchmarks.corpus.case import ByFfmpeg, Case
from benchmarks.corpus.cases_codecs import HEVC_OPEN, MPEG2, MPEG4, OPEN_GOP, PLAIN, PYRAMID, VP9
from benchmarks.corpus.files import beheaded, cut, edited, joined, unfinished, without_index
from benchmarks.corpus.film import Film
from benchmarks.corpus.headers import clean_aperture, pixel_crop, turned
from benchmarks.corpus.packets import appended, marked, remuxed, unmarked, without, without_before

FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
LARGER = Film(options={"g": "25", "bf": "0"}, size_px=(144, 192), first=60, count=60)
HALF = Film(options={"g": "25", "bf": "0"}, count=60)
KEY = "00112233445566778899aabbccddeeff"
ENCRYPTED = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": KEY, "encryption_kid": KEY}
COVER = (
    "-f",
    "lavfi",
    "-i",
    "color=red:size=640x480:duration=0.04:rate=25",
    "-map",
    "0",
    "-map",
    "1",
    "-c:v:0",
    "copy",
)
COVER_LAST = (*COVER, "-c:v:1", "mjpeg", "-disposition:v:1", "attached_pic")
SMALL_SECOND = ("-map", "0", "-map", "0", "-c:v:0", "copy", "-c:v:1", "libx264", "-filter:v:1", "negate,scale=64:48")


def _few(count: int) -> Film:
    return Film(options={"g": "25", "bf": "0"}, count=count)


def _skips(number: int) -> int:
    return number + 5 * (number // 10)


STRUCTURE = (
    Case("fragments.mp4", Film(options=PYRAMID.options, mux=FRAGMENTS)),
    Case("fragments_cut.mp4", Film(options=PYRAMID.options, mux=FRAGMENTS), (edited(cut(0.7)),), promises_more=True),
    Case("fragments_each.mp4", Film(options=PYRAMID.options, mux={"movflags": "frag_every_frame+empty_moov"})),
    Case("fragments_index.mp4", Film(options=PYRAMID.options, mux={"movflags": "dash+global_sidx+frag_keyframe"})),
    Case("faststart.mp4", Film(options=PYRAMID.options, mux={"movflags": "faststart"})),
    Case("live.mkv", Film(options=PYRAMID.options, mux={"live": "1"})),
    Case("live.webm", Film("libvpx-vp9", VP9.options, mux={"live": "1"})),
    Case("unfinished.mkv", PYRAMID, (edited(cut(0.8)),), "mkv", promises_more=True),
    Case("unfinished.webm", VP9, (edited(cut(0.8)),), "webm", promises_more=True),
    Case("no_index.avi", MPEG4, (edited(without_index),), "avi"),
    Case("unfinished.avi", MPEG4, (edited(unfinished),), "avi"),
    Case("no_index_b.avi", PYRAMID, (edited(without_index),), "avi"),
    Case("one.mp4", _few(1)),
    Case("one.mkv", _few(1)),
    Case("one.ts", _few(1)),
    Case("one.avi", _few(1)),
    Case("one.flv", _few(1)),
    Case("two.mp4", _few(2)),
    Case("two.mkv", _few(2)),
    Case("two.ts", _few(2)),
    Case("two.flv", _few(2)),
    Case("gaps.avi", Film("mpeg4", {"g": "30"}, ticks=_skips)),
    Case("gaps.mp4", Film(options=PYRAMID.options, ticks=_skips)),
    Case("gaps.flv", Film(options=PYRAMID.options, ticks=_skips)),
    Case("rate_90k.mp4", Film(options=PYRAMID.options, mux={"video_track_timescale": "90000"})),
    Case("rate_1m.mp4", Film(options=PYRAMID.options, mux={"video_track_timescale": "1000000"})),
    Case("rate_odd.mp4", Film(options=PYRAMID.options, mux={"video_track_timescale": "12345"})),
    Case("rate_1.mp4", Film(fps=1, options={"g": "10", "bf": "2"}, count=60)),
    Case("rate_1000.mkv", Film(fps=1000, options={"g": "100"}, count=200)),
    Case("rate_12_5.ts", Film(fps=Fraction(25, 2), options=PYRAMID.options)),
    Case("turned_90.mp4", PYRAMID, (edited(turned(90)),), is_timed=False),
    Case("turned_180.mp4", PYRAMID, (edited(turned(180)),), is_timed=False),
    Case("wide_pixels.mp4", PYRAMID, (ByFfmpeg(("-c", "copy", "-aspect", "2:1")),)),
    Case("wide_pixels.mkv", PYRAMID, (ByFfmpeg(("-c", "copy", "-aspect", "2:1")),)),
    Case("cropped.mkv", PYRAMID, (edited(pixel_crop(top=16, bottom=8)),), "mkv", is_timed=False),
    Case("cropped_sides.mkv", VP9, (edited(pixel_crop(left=10, right=20)),), "mkv", is_timed=False),
    Case("cropped.mp4", PYRAMID, (edited(clean_aperture(112, 72)),), is_timed=False),
    Case("cropped_aside.mp4", PYRAMID, (edited(clean_aperture(100, 80, 4, -6)),), is_timed=False),
    Case("cropped_stream.mp4", Film(options=PYRAMID.options, size_px=(90, 122))),
    Case("encrypted.mp4", Film(options=PYRAMID.options, mux=ENCRYPTED), refused="encrypted"),
    Case("sound_longer.mp4", Film(options=PYRAMID.options, sound_seconds=12)),
    Case("sound_longer.mkv", Film(options=PYRAMID.options, sound_seconds=12)),
    Case("sound_longer.ts", Film(options=PYRAMID.options, sound_seconds=12)),
    Case("sound_longer.vob", Film("mpeg2video", MPEG2.options, sound_seconds=12, sound_codec="mp2")),
    Case("sound_longer.flv", Film(options=PYRAMID.options, sound_seconds=12)),
    Case("sound_longer.avi", Film("mpeg4", MPEG4.options, sound_seconds=12, sound_codec="mp2")),
    Case("cover.mp4", PYRAMID, (ByFfmpeg(COVER_LAST),)),
    Case("two_films.mp4", PYRAMID, (ByFfmpeg(SMALL_SECOND),)),
    Case("two_films.mkv", PYRAMID, (ByFfmpeg(SMALL_SECOND),)),
    Case("larger_midway.ts", HALF, (joined(LARGER),), "ts"),
    Case("larger_midway.h264", HALF, (joined(LARGER),), "h264", is_timed=False),
    Case(
        "larger_midway.webm",
        Film("libvpx", count=60),
        (remuxed(appended(Film("libvpx", size_px=(144, 192), first=60, count=60))),),
        "webm",
    ),
    Case("no_first_keyframe.ts", PLAIN, (remuxed(without(range(12))),)),
    Case("no_first_keyframe.mkv", PYRAMID, (remuxed(without(range(12))),)),
    Case("no_first_keyframe.mp4", PYRAMID, (remuxed(without(range(12))),)),
    Case("no_first_keyframe.avi", MPEG4, (remuxed(without(range(12))),)),
    Case("no_first_keyframe.vob", MPEG2, (remuxed(without(range(5))),)),
    Case("open_start.ts", OPEN_GOP, (remuxed(without_before(1)),), "ts"),
    Case("open_start.mkv", OPEN_GOP, (remuxed(without_before(1)),)),
    Case("open_start.mp4", OPEN_GOP, (remuxed(without_before(1)),)),
    Case("open_start_hevc.ts", HEVC_OPEN, (remuxed(without_before(1)),), "ts"),
    Case("open_start_hevc.mkv", HEVC_OPEN, (remuxed(without_before(1)),)),
    Case("open_start_hevc.mp4", HEVC_OPEN, (remuxed(without_before(1)),)),
    Case("open_start.vob", MPEG2, (remuxed(without_before(1)),)),
    Case("open_start_mpeg2.mkv", MPEG2, (remuxed(without_before(1)),), "ts"),
    Case("cut_start.ts", PYRAMID, (edited(beheaded(0.3, 188)),), "ts"),
    Case("cut_start_open.ts", HEVC_OPEN, (edited(beheaded(0.4, 188)),), "ts"),
    Case("cut_start.vob", MPEG2, (edited(beheaded(0.3, 2048)),), "vob"),
    Case("cut_start.h264", PYRAMID, (edited(beheaded(0.3)),), "h264", is_timed=False),
    Case("unmarked.mkv", PYRAMID, (remuxed(unmarked(range(1, 999))),)),
    Case("unmarked.mp4", PYRAMID, (remuxed(unmarked(range(1, 999))),)),
    Case("marked.mkv", PYRAMID, (remuxed(marked(range(0, 999, 5))),)),
    Case("marked.mp4", PYRAMID, (remuxed(marked(range(0, 999, 5))),)),
)
