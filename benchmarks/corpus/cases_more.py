"""Files of the corpus with two unusual properties at once, and kinds of files found in the wild."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from benchmarks.corpus import clocks
from benchmarks.corpus.case import ByFfmpeg, Case
from benchmarks.corpus.cases_codecs import HEVC, HEVC_OPEN, MPEG2, OPEN_GOP, PLAIN, PYRAMID, VP8, VP9, X265
from benchmarks.corpus.cases_structure import ENCRYPTED, HALF, LARGER, SMALL_SECOND
from benchmarks.corpus.cases_times import FIRST, FLV_HEADER_BYTES, HOUR_90K, HOUR_MS, SECOND, wrong
from benchmarks.corpus.files import edit_list, edited, fragment_clocks, joined, telecined
from benchmarks.corpus.film import Film
from benchmarks.corpus.headers import clean_aperture, pixel_crop, turned
from benchmarks.corpus.packets import lasting, later, remuxed, shown_later, swapped, without_before

HOUR_SECONDS = 3600
VVC = ("-c:v", "libvvenc", "-preset", "faster", "-qp", "20")
FIRST_VP8, SECOND_VP8 = Film("libvpx", VP8.options, count=60), Film("libvpx", VP8.options, count=60, first=60)
FIRST_OGG, SECOND_OGG = replace(FIRST_VP8, format="ogg"), replace(SECOND_VP8, format="ogg")
KEYED = {"flvflags": "add_keyframe_index"}


def _sound_first(place: int) -> int:
    return place + 75


def _uneven_hundredths(place: int) -> int:
    return sum((1, 4, 3, 40, 2, 10)[at % 6] for at in range(place))


def _after_pause(seconds: float, first_after: int) -> Callable[[int], float]:
    """Return the times of pictures, some of which follow a pause."""
    return lambda number: number / 25 + (seconds if number >= first_after else 0.0)


JUMPS = (
    Case("jump_two_clocks.mkv", FIRST, (joined(SECOND),), "mkv"),
    Case("jump_two_clocks.webm", FIRST_VP8, (joined(SECOND_VP8),), "webm"),
    Case("jump_two_clocks.avi", Film("mpeg4", count=60), (joined(Film("mpeg4", count=60, first=60)),), "avi"),
    Case("jump_two_clocks.ogv", FIRST_OGG, (joined(SECOND_OGG),), "ogv"),
    Case(
        "jump_two_clocks_index.flv",
        replace(FIRST, mux=KEYED),
        (joined(replace(SECOND, mux=KEYED), FLV_HEADER_BYTES),),
        "flv",
    ),
    Case("jump_other_pid.ts", FIRST, (joined(replace(SECOND, mux={"mpegts_start_pid": "0x200"})),), "ts"),
    Case("jump_other_codec.ts", FIRST, (joined(Film("mpeg2video", MPEG2.options, count=60, first=60)),), "ts"),
    Case("jump_other_colours.ts", FIRST, (joined(replace(SECOND, pix_fmt="yuv444p")),), "ts"),
    Case("jump_larger.flv", HALF, (joined(LARGER, FLV_HEADER_BYTES),), "flv"),
    Case("gap_5s.ts", PYRAMID, (remuxed(later(5, range(80, 999))),), second_of=_after_pause(5, 80)),
    Case("gap_5s.flv", PYRAMID, (remuxed(later(5, range(80, 999))),), second_of=_after_pause(5, 80)),
    Case(
        "gap_hour.mkv",
        PYRAMID,
        (remuxed(later(HOUR_SECONDS, range(80, 999))),),
        second_of=_after_pause(HOUR_SECONDS, 80),
    ),
    Case(
        "gap_hour.mp4",
        PYRAMID,
        (remuxed(later(HOUR_SECONDS, range(80, 999))),),
        second_of=_after_pause(HOUR_SECONDS, 80),
    ),
    Case("jump_wrap_open.ts", HEVC_OPEN, (remuxed(later(2**33 / 90_000 - 2)),), "ts"),
    Case("jump_wrap_early.ts", PYRAMID, (remuxed(later(2**33 / 90_000 - 0.1)),), "ts"),
)

WRONG = (
    wrong(
        "wrong_first_early.ts",
        PLAIN,
        0,
        remuxed(later(7200)),
        edited(clocks.transport(clocks.one(0, -HOUR_90K))),
        via="ts",
    ),
    wrong(
        "wrong_hour_early.ts",
        PLAIN,
        60,
        remuxed(later(7200)),
        edited(clocks.transport(clocks.one(60, -HOUR_90K))),
        via="ts",
    ),
    wrong(
        "wrong_both_hour.ts",
        PLAIN,
        60,
        edited(clocks.transport(clocks.one(60, HOUR_90K), clocks.one(60, HOUR_90K))),
        via="ts",
    ),
    Case(
        "wrong_swapped.mkv",
        PLAIN,
        (edited(clocks.matroska(clocks.one(60, 40)), clocks.matroska(clocks.one(61, -40))),),
        "mkv",
        may_miss=frozenset({60, 61}),
    ),
    Case("wrong_swapped_b.mp4", PYRAMID, (remuxed(swapped(62)),), may_miss=frozenset({62, 63})),
    wrong("wrong_keyframe_twice.mkv", PLAIN, 75, edited(clocks.matroska(clocks.one(75, 40))), via="mkv"),
    wrong("wrong_hour_first_group.mkv", PYRAMID, 4, remuxed(shown_later(HOUR_SECONDS, range(1, 2)))),
    wrong("wrong_hour_hevc.mp4", HEVC, 30, remuxed(shown_later(HOUR_SECONDS, range(30, 31)))),
    wrong("wrong_hour_mpeg2.ts", MPEG2, 59, remuxed(shown_later(HOUR_SECONDS, range(60, 61)))),
    Case(
        "wrong_two_hour.ts",
        PLAIN,
        (edited(clocks.transport(clocks.some(range(60, 62), HOUR_90K))),),
        "ts",
        may_miss=frozenset({60, 61}),
    ),
    Case(
        "wrong_two_hour.flv",
        PLAIN,
        (edited(clocks.flash(clocks.some(range(60, 62), HOUR_MS))),),
        "flv",
        may_miss=frozenset({60, 61}),
    ),
    Case(
        "wrong_apart.ts",
        PLAIN,
        (edited(clocks.transport(clocks.some(range(30, 91, 30), HOUR_90K))),),
        "ts",
        may_miss=frozenset({30, 60, 90}),
    ),
    Case("wrong_last_lasts.mkv", PLAIN, (remuxed(lasting(HOUR_SECONDS, range(119, 120))),)),
    Case("wrong_one_lasts.mkv", PLAIN, (remuxed(lasting(HOUR_SECONDS, range(60, 61))),)),
    Case("wrong_one_lasts.mp4", PLAIN, (remuxed(lasting(HOUR_SECONDS, range(60, 61))),)),
    Case("same_ms.mkv", Film(fps=2000, options={"g": "50", "bf": "0"}, time_base=Fraction(1, 2000))),
)

HIDDEN = (
    Case("hidden_vp8.avi", VP8),
    Case("hidden_vp9.avi", VP9),
    Case("hidden_vp9.nut", VP9),
    Case("hidden_split.avi", VP9, (ByFfmpeg(("-c", "copy", "-bsf:v", "vp9_superframe_split")),), "webm"),
    Case("hidden_forward_av1.mp4", Film("libsvtav1", {"g": "40", "svtav1-params": "irefresh-type=1"})),
    Case("hidden_forward_av1.mkv", Film("libsvtav1", {"g": "40", "svtav1-params": "irefresh-type=1"})),
)

LEADING = (
    Case("leading_decodable_hevc.mp4", Film("libx265", {"x265-params": X265 + ":open-gop=0:radl=2"})),
    Case(
        "leading_decodable_start.mp4",
        Film("libx265", {"x265-params": X265 + ":open-gop=0:radl=2"}),
        (remuxed(without_before(1)),),
    ),
    Case(
        "leading_decodable_start.ts",
        Film("libx265", {"x265-params": X265 + ":open-gop=0:radl=2"}),
        (remuxed(without_before(1)),),
        "ts",
    ),
    Case("leading.hevc", HEVC_OPEN, (remuxed(without_before(1), format="hevc"),), "mkv", is_timed=False),
    Case("leading_vvc.ts", PLAIN, (ByFfmpeg((*VVC, "-f", "mpegts")),)),
    Case(
        "leading.mpg", Film("mpeg1video", {"g": "12", "bf": "2"}, format="mpeg"), (remuxed(without_before(1)),), "mpg"
    ),
    Case(
        "telecine.m2v",
        Film("mpeg2video", MPEG2.options, format="mpeg2video"),
        (edited(telecined),),
        "m2v",
        is_timed=False,
    ),
    Case("telecine.vob", MPEG2, (edited(telecined),), "vob", is_timed=False),
)

SHAPES = (
    Case("cropped_all.webm", VP9, (edited(pixel_crop(top=8, bottom=8, left=16, right=16)),), "webm", is_timed=False),
    Case(
        "cropped_wide.mkv",
        PYRAMID,
        (ByFfmpeg(("-c", "copy", "-aspect", "2:1")), edited(pixel_crop(top=8))),
        "mkv",
        is_timed=False,
    ),
    Case("cropped_turned.mp4", PYRAMID, (edited(clean_aperture(112, 72), turned(90)),), is_timed=False),
    Case(
        "cropped_wide.mp4",
        PYRAMID,
        (ByFfmpeg(("-c", "copy", "-aspect", "2:1")), edited(clean_aperture(112, 96))),
        is_timed=False,
    ),
    Case("cropped_hevc.mov", HEVC, (edited(clean_aperture(120, 90)),), "mov", is_timed=False),
    Case(
        "encrypted_fragments.mp4",
        Film(options=PYRAMID.options, mux={**ENCRYPTED, "movflags": "frag_keyframe+empty_moov"}),
        refused="encrypted",
    ),
    Case("encrypted.mov", Film("libx265", HEVC.options, format="mp4", mux=ENCRYPTED), refused="encrypted"),
    Case("encrypted.ts", PYRAMID, (edited(clocks.scrambled),), "ts", refused="encrypted"),
    Case("alpha.webm", Film("libvpx", {"g": "40", "auto-alt-ref": "0"}, pix_fmt="yuva420p")),
    Case("tiny.mp4", Film(options=PLAIN.options, size_px=(16, 16), count=60)),
    Case("slow.mp4", Film(options={"g": "5", "bf": "2"}, fps=Fraction(1, 10), count=40)),
    Case("slow.mkv", Film(options={"g": "5", "bf": "2"}, fps=Fraction(1, 10), count=40)),
    Case("uneven.gif", Film("gif", pix_fmt="rgb8", fps=100, ticks=_uneven_hundredths)),
    Case("interlaced_mpeg2.ts", Film("mpeg2video", {**MPEG2.options, "flags": "+ilme+ildct"})),
    Case("sound_first.mp4", Film(options=PLAIN.options, ticks=_sound_first, sound_seconds=8)),
    Case("sound_first.mkv", Film(options=PLAIN.options, ticks=_sound_first, sound_seconds=8)),
    Case("sound_first.ts", Film(options=PLAIN.options, ticks=_sound_first, sound_seconds=8)),
    Case("sound_first.flv", Film(options=PLAIN.options, ticks=_sound_first, sound_seconds=8)),
    Case("two_films.ts", PYRAMID, (ByFfmpeg(SMALL_SECOND),)),
    Case(
        "edit_with_sound.mp4",
        Film(options=PYRAMID.options, sound_seconds=5),
        (edited(edit_list((1.2, 0), (1.6, 3.2))),),
        is_timed=False,
    ),
    Case("edit_turned.mp4", OPEN_GOP, (edited(edit_list((1.2, 0.4), (1.6, 3.0)), turned(180)),), is_timed=False),
    Case(
        "edit_hour_fragments.mp4",
        Film(options=PYRAMID.options, mux={"movflags": "frag_keyframe+empty_moov"}),
        (edited(fragment_clocks(lambda n, ticks: ticks + (HOUR_SECONDS * 12800 if n > 1 else 0))),),
        second_of=_after_pause(HOUR_SECONDS, 80),
    ),
)

MORE = (*JUMPS, *WRONG, *HIDDEN, *LEADING, *SHAPES)
