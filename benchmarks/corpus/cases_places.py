"""Files of the corpus with no one-to-one match of packets and pictures, useless times or wrong headers."""

import struct
from dataclasses import replace

from benchmarks.corpus import clocks
from benchmarks.corpus.case import ByFfmpeg, Case
from benchmarks.corpus.cases_codecs import HEVC_OPEN, MPEG2, MPEG4, PLAIN, PYRAMID, VP8, VP9
from benchmarks.corpus.cases_seek import H264_BUSY, MPEG2_BUSY
from benchmarks.corpus.cases_structure import FRAGMENTS
from benchmarks.corpus.cases_times import FIRST, FIRST_MPEG2, FLV_HEADER_BYTES, SECOND
from benchmarks.corpus.files import cut, edited, joined, patched_after
from benchmarks.corpus.film import Film
from benchmarks.corpus.packets import glued, remuxed, split_parameters

HOUR_SECONDS = 3600
FIRST_FRAGMENTS = replace(FIRST, mux=FRAGMENTS)
SECOND_BUSY, SECOND_BUSY_MPEG2 = replace(H264_BUSY, first=250), replace(MPEG2_BUSY, first=250)
KEYFRAMES_APART = 40
FLV_WRAP_MS = 2**24


def _at_keyframes(number: int, ticks: int) -> int | None:
    return ticks if number % KEYFRAMES_APART == 0 else None


def _nothing(_number: int, _ticks: int) -> int:
    return 0


def _often_90k(_number: int, ticks: int) -> int:
    return 126_000 + ticks % 108_000


def _often_ms(_number: int, ticks: int) -> int:
    return ticks % 1200


def _wrapping_ms(_number: int, ticks: int) -> int:
    return (ticks + FLV_WRAP_MS - 2400) % FLV_WRAP_MS


def _moved(name: str, film: Film, place: int, by_ticks: int) -> Case:
    """Return MPEG-TS whose clock jumps between two packets that are not shown in the order of decoding."""
    jump = clocks.from_place(place, by_ticks)
    return Case(name, film, (edited(clocks.transport(jump, jump)),), "ts")


JUMPS = (
    _moved("jump_within_b.ts", PYRAMID, 62, 90_000 * HOUR_SECONDS),
    _moved("jump_back_within_b.ts", PYRAMID, 62, -180_000),
    _moved("jump_within_b_hevc.ts", HEVC_OPEN, 64, 90_000 * HOUR_SECONDS),
    _moved("jump_before_b.ts", PYRAMID, 61, -180_000),
    Case("jump_often.ts", PLAIN, (edited(clocks.transport(_often_90k)),), "ts"),
    Case("jump_often_b.ts", PYRAMID, (edited(clocks.transport(_often_90k, _often_90k)),), "ts"),
    Case("jump_often.flv", PLAIN, (edited(clocks.flash(_often_ms)),), "flv"),
    Case("jump_often_b.flv", PYRAMID, (edited(clocks.flash(_often_ms)),), "flv"),
    Case("jump_wrap.flv", PLAIN, (edited(clocks.flash(_wrapping_ms)),), "flv"),
)

REPEATED = (
    Case("itself.ts", FIRST, (joined(FIRST),), "ts", is_timed_by_place=True),
    Case("itself.vob", FIRST_MPEG2, (joined(FIRST_MPEG2),), "vob", is_timed_by_place=True),
    Case("itself.flv", FIRST, (joined(FIRST, FLV_HEADER_BYTES),), "flv", is_timed_by_place=True),
    Case("itself.mp4", FIRST_FRAGMENTS, (joined(FIRST_FRAGMENTS),), is_timed_by_place=True),
    Case("itself_twice.ts", FIRST, (joined(FIRST), joined(FIRST)), "ts", is_timed_by_place=True),
    Case("busy_two_clocks.ts", H264_BUSY, (joined(SECOND_BUSY),), "ts"),
    Case("busy_two_clocks.vob", MPEG2_BUSY, (joined(SECOND_BUSY_MPEG2),), "vob"),
    Case("busy_two_clocks.flv", H264_BUSY, (joined(SECOND_BUSY, FLV_HEADER_BYTES),), "flv"),
    Case("after_a_cut.ts", FIRST, (edited(cut(0.9)), joined(SECOND)), "ts", is_damaged=True),
    Case("deeper_order.ts", replace(PLAIN, count=60), (joined(SECOND),), "ts"),
    Case("shallower_order.ts", FIRST, (joined(replace(PLAIN, count=60, first=60)),), "ts"),
)

TIMELESS = (
    Case("all_zero.ivf", VP8, (edited(clocks.ivf(_nothing)),), "ivf", is_timed=False),
    Case("all_zero.flv", PLAIN, (edited(clocks.flash(_nothing)),), "flv", is_timed=False),
    Case(
        "all_zero.mkv",
        PLAIN,
        (edited(clocks.matroska_clusters(_nothing), clocks.matroska(_nothing)),),
        "mkv",
        is_timed=False,
    ),
    Case("times_at_keyframes.ts", PYRAMID, (edited(clocks.transport(_at_keyframes)),), "ts"),
    Case("times_at_keyframes_mpeg2.ts", MPEG2, (edited(clocks.transport(_at_keyframes)),), "ts"),
    Case("times_never.ts", PLAIN, (edited(clocks.transport(clocks.absent(range(9999)))),), "ts"),
    Case("times_never_b.ts", PYRAMID, (edited(clocks.transport(clocks.absent(range(9999)))),), "ts"),
    Case("times_after_first.ts", PLAIN, (edited(clocks.transport(clocks.absent(range(1)))),), "ts"),
    Case("times_until_last.ts", PLAIN, (edited(clocks.transport(clocks.absent(range(110, 999)))),), "ts"),
)

UNMATCHED = (
    Case("glued.mkv", PLAIN, (remuxed(glued(range(40, 60, 4))),), is_damaged=True),
    Case("glued_b.mkv", PYRAMID, (remuxed(glued(range(42, 60, 4))),), is_damaged=True),
    Case("glued_mpeg2.mkv", MPEG2, (remuxed(glued(range(40, 60, 4))),), "ts", is_damaged=True),
    Case("glued_vp9.mkv", VP9, (remuxed(glued(range(42, 60, 4))),), "mkv", is_damaged=True),
    Case("glued_mpeg4.avi", MPEG4, (remuxed(glued(range(42, 60, 4))),), "avi", is_damaged=True),
    Case("parameters_apart.mkv", PYRAMID, (remuxed(split_parameters()),), "ts"),
    Case("slices.ts", Film(options={**PYRAMID.options, "slices": "4"})),
    Case("busy_theora.ogv", H264_BUSY, (ByFfmpeg(("-c:v", "libtheora", "-q:v", "9", "-g", "25")),)),
)

LYING = (
    Case("long_header.mp4", PLAIN, (edited(patched_after(b"mdhd", 16, struct.pack(">I", 12800 * HOUR_SECONDS))),)),
    Case("long_header.mkv", PLAIN, (edited(patched_after(b"\x44\x89\x88", 0, struct.pack(">d", 3_600_000.0))),), "mkv"),
    Case("long_tag.mkv", PLAIN, (edited(patched_after(b"DURATION", 3, b"01:00")),), "mkv"),
    Case("long_header.flv", PLAIN, (edited(patched_after(b"duration\x00", 0, struct.pack(">d", 3600.0))),), "flv"),
    Case("long_header.avi", MPEG4, (edited(patched_after(b"strh", 36, struct.pack("<I", 90_000))),), "avi"),
    Case("short_header.mp4", PLAIN, (edited(patched_after(b"mdhd", 16, struct.pack(">I", 12800))),)),
    Case("short_header.mkv", PLAIN, (edited(patched_after(b"\x44\x89\x88", 0, struct.pack(">d", 1000.0))),), "mkv"),
    Case("short_tag.mkv", PLAIN, (edited(patched_after(b"DURATION", 3, b"00:00:01.0")),), "mkv"),
    Case("short_header.flv", PLAIN, (edited(patched_after(b"duration\x00", 0, struct.pack(">d", 1.0))),), "flv"),
    Case("short_header.avi", MPEG4, (edited(patched_after(b"strh", 36, struct.pack("<I", 25))),), "avi"),
)

PLACES = (*JUMPS, *REPEATED, *TIMELESS, *UNMATCHED, *LYING)
