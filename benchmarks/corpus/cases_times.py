"""Files of the corpus: clocks that jump, edit lists, and times that are wrong, missing or duplicated."""

from benchmarks.corpus import clocks
from benchmarks.corpus.case import ByFfmpeg, Case, Step
from benchmarks.corpus.cases_codecs import AV1, HEVC, HEVC_OPEN, MPEG2, MPEG4_B, OPEN_GOP, PLAIN, PYRAMID, VP8, VP9
from benchmarks.corpus.cases_structure import FRAGMENTS
from benchmarks.corpus.files import beheaded, edit_list, edited, fragment_clocks, joined
from benchmarks.corpus.film import Film
from benchmarks.corpus.packets import later, remuxed, shown_in_order, shown_later, shown_with

HOUR_SECONDS = 3600
HOUR_MS, HOUR_90K = 3_600_000, 324_000_000
FLV_HEADER_BYTES = 13
WRAP_SECONDS = 2**33 / 90_000
FIRST = Film(options=PYRAMID.options, count=60)
SECOND = Film(options=PYRAMID.options, count=60, first=60)
FIRST_MPEG2, SECOND_MPEG2 = (
    Film("mpeg2video", MPEG2.options, count=60),
    Film("mpeg2video", MPEG2.options, count=60, first=60),
)
FIRST_FRAGMENTS = Film(options=PYRAMID.options, count=60, mux=FRAGMENTS)
SECOND_FRAGMENTS = Film(options=PYRAMID.options, count=60, mux=FRAGMENTS, first=60)


def uneven_ticks(number: int) -> int:
    """Return times in 1/1000 s, 10 to 400 ms apart."""
    return sum((10, 40, 33, 400, 17, 100)[place % 6] for place in range(number))


def _nearly(number: int) -> int:
    """Return times in 1/90000 s, as from a camera's clock: no two intervals are the same."""
    return number * 3000 + (number * number * 7919) % 977


def _slides(number: int) -> int:
    """Return times in 1/1000 s of pictures that are shown for an hour."""
    return number * 40 + HOUR_MS * (number // 20)


def wrong(name: str, film: Film, place: int, *steps: Step, via: str = "mp4") -> Case:
    """Return a case in which one packet has a wrong time: only that picture may be missing."""
    return Case(name, film, steps, via, may_miss=frozenset({place}))


JUMPS = (
    Case("jump_two_clocks.ts", FIRST, (joined(SECOND),), "ts"),
    Case("jump_two_clocks.m2ts", FIRST, (joined(SECOND),), "m2ts"),
    Case("jump_two_clocks_open.ts", FIRST, (joined(Film(options=OPEN_GOP.options, count=60, first=60)),), "ts"),
    Case("jump_two_clocks.vob", FIRST_MPEG2, (joined(SECOND_MPEG2),), "vob"),
    Case("jump_two_clocks_mpeg2.ts", FIRST_MPEG2, (joined(SECOND_MPEG2),), "ts"),
    Case("jump_two_clocks.flv", FIRST, (joined(SECOND, FLV_HEADER_BYTES),), "flv"),
    Case("jump_two_clocks.m2v", FIRST_MPEG2, (joined(SECOND_MPEG2),), "m2v", is_timed=False),
    Case("jump_two_clocks.mp4", FIRST_FRAGMENTS, (joined(SECOND_FRAGMENTS),), "mp4"),
    Case("jump_two_clocks.ivf", Film("libvpx", VP8.options), (edited(clocks.ivf(clocks.from_place(40, -40))),), "ivf"),
    Case(
        "jump_back.mkv",
        PYRAMID,
        (edited(clocks.matroska_clusters(lambda _, ms: ms if ms < 3000 else ms - 3000)),),
        "mkv",
    ),
    Case(
        "jump_back_half.ts",
        PYRAMID,
        (edited(clocks.transport(clocks.from_place(80, -45_000), clocks.from_place(80, -45_000))),),
        "ts",
    ),
    Case(
        "jump_back_10.ts",
        PYRAMID,
        (
            remuxed(later(20)),
            edited(clocks.transport(clocks.from_place(80, -900_000), clocks.from_place(80, -900_000))),
        ),
        "ts",
    ),
    Case(
        "jump_hour.ts",
        PYRAMID,
        (edited(clocks.transport(clocks.from_place(80, HOUR_90K), clocks.from_place(80, HOUR_90K))),),
        "ts",
    ),
    Case(
        "jump_hour_and_back.ts",
        PYRAMID,
        (edited(clocks.transport(clocks.some(range(40, 80), HOUR_90K), clocks.some(range(40, 80), HOUR_90K))),),
        "ts",
    ),
    Case(
        "jump_mid_group.ts",
        PLAIN,
        (edited(clocks.transport(clocks.from_place(60, HOUR_90K), clocks.from_place(60, HOUR_90K))),),
        "ts",
    ),
    Case("jump_back.flv", PLAIN, (edited(clocks.flash(clocks.from_place(75, -3000))),), "flv"),
    Case("jump_hour.flv", PLAIN, (edited(clocks.flash(clocks.from_place(75, HOUR_MS))),), "flv"),
    Case(
        "jump_fragments.mp4",
        Film(options=PYRAMID.options, mux=FRAGMENTS),
        (edited(fragment_clocks(lambda n, ticks: ticks if n < 2 else 0)),),
    ),
    Case("jump_wrap.ts", PYRAMID, (remuxed(later(WRAP_SECONDS - 3.5)),), "ts"),
    Case("jump_wrap.vob", MPEG2, (remuxed(later(WRAP_SECONDS - 3.5), format="vob"),), "vob"),
    Case(
        "jump_thrice.ts",
        Film(options=PYRAMID.options, count=40),
        (
            joined(Film(options=PYRAMID.options, count=40, first=40)),
            joined(Film(options=PYRAMID.options, count=40, first=80)),
        ),
        "ts",
    ),
    Case("jump_cut.ts", FIRST, (joined(SECOND), edited(beheaded(0.1, 188))), "ts"),
    Case(
        "jump_sound.ts",
        Film(options=PYRAMID.options, count=60, sound_seconds=2.4),
        (joined(Film(options=PYRAMID.options, count=60, first=60, sound_seconds=2.4)),),
        "ts",
    ),
)

UNEVEN = (
    Case("uneven.mp4", Film(options=PYRAMID.options, ticks=uneven_ticks, fps=1000)),
    Case("uneven.mkv", Film(options=PYRAMID.options, ticks=uneven_ticks, fps=1000)),
    Case("uneven.webm", Film("libvpx-vp9", VP9.options, ticks=uneven_ticks, fps=1000)),
    Case("uneven.flv", Film(options=PLAIN.options, ticks=uneven_ticks, fps=1000)),
    Case("uneven.ts", Film(options=PYRAMID.options, ticks=_nearly, fps=90_000)),
    Case("uneven_camera.mp4", Film(options=OPEN_GOP.options, ticks=_nearly, fps=90_000)),
    Case("uneven_hevc.mkv", Film("libx265", HEVC.options, ticks=uneven_ticks, fps=1000)),
    Case("slides.mkv", Film(options=PLAIN.options, ticks=_slides, fps=1000, count=80)),
    Case("slides.mp4", Film(options=PYRAMID.options, ticks=_slides, fps=1000, count=80)),
    Case("starts_later.mkv", PYRAMID, (remuxed(later(10)),)),
    Case("starts_later.mp4", PYRAMID, (remuxed(later(10)),)),
    Case("starts_later.ts", PYRAMID, (remuxed(later(10)),)),
    Case("starts_later.flv", PYRAMID, (remuxed(later(10)),)),
    Case("starts_before.mp4", PYRAMID, (remuxed(later(-1), mux={"avoid_negative_ts": "disabled"}),)),
    Case(
        "starts_before.ts",
        PYRAMID,
        (edited(clocks.transport(clocks.from_place(0, -180_000), clocks.from_place(0, -180_000))),),
        "ts",
    ),
)

EDIT_LISTS = (
    Case("edit_both_ends.mp4", PYRAMID, (edited(edit_list((2, 1))),)),
    Case("edit_mid_group.mp4", PYRAMID, (edited(edit_list((2.4, 1.2))),)),
    Case("edit_empty.mp4", PYRAMID, (edited(edit_list((2, None), (4.8, 0))),)),
    Case("edit_empty_then_late.mp4", PYRAMID, (edited(edit_list((1, None), (2, 2))),)),
    Case("edit_two_pieces.mp4", PYRAMID, (edited(edit_list((1.2, 0), (1.6, 3.2))),), is_timed=False),
    Case("edit_two_pieces_plain.mp4", PLAIN, (edited(edit_list((1.2, 0), (1.6, 3.2))),), is_timed=False),
    Case("edit_two_pieces_open.mp4", OPEN_GOP, (edited(edit_list((1.0, 0.2), (1.6, 2.6))),), is_timed=False),
    Case("edit_two_pieces_hevc.mp4", HEVC_OPEN, (edited(edit_list((1.0, 0.2), (1.6, 2.6))),), is_timed=False),
    Case("edit_three_pieces.mp4", PYRAMID, (edited(edit_list((0.8, 0.4), (0.8, 1.8), (0.6, 3.6))),), is_timed=False),
    Case("edit_gap_between.mp4", PYRAMID, (edited(edit_list((1.2, 0), (1, None), (1.6, 3.2))),), is_timed=False),
    Case("edit_repeated.mp4", PYRAMID, (edited(edit_list((1, 1), (1, 1))),), is_timed=False),
    Case("edit_later_first.mp4", PYRAMID, (edited(edit_list((1, 3.2), (1, 0.4))),), is_timed=False),
    Case("edit_past_end.mp4", PYRAMID, (edited(edit_list((2, 50))),), is_timed=False),
    Case("edit_longer_than_film.mp4", PYRAMID, (edited(edit_list((9, 1))),)),
    Case("edit_one_picture.mp4", PYRAMID, (edited(edit_list((0.04, 2))),)),
    Case("edit_start.mov", PLAIN, (edited(edit_list((3, 0.5))),), "mov"),
)

ORDERS = (
    Case("order_pts_is_dts.mkv", PYRAMID, (remuxed(shown_in_order()),)),
    Case("order_pts_is_dts.mp4", PYRAMID, (remuxed(shown_in_order()),)),
    Case("order_pts_is_dts.flv", PYRAMID, (remuxed(shown_in_order()),)),
    Case("order_pts_is_dts.ts", PYRAMID, (remuxed(shown_in_order()),)),
    Case("order_mpeg4.asf", MPEG4_B),
    Case("order_mpeg2.avi", MPEG2),
    Case("order_open.avi", OPEN_GOP),
    Case("order_long.avi", Film(options={"g": "250", "bf": "3"}, count=200)),
    Case("order_negative.mp4", Film(options=PYRAMID.options, mux={"movflags": "negative_cts_offsets"})),
    Case("order_hevc.vob", HEVC),
    Case("order_late_dts.ts", PYRAMID, (edited(clocks.transport(None, clocks.from_place(0, 18_000))),), "ts"),
    Case(
        "order_some_late_dts.ts", PYRAMID, (edited(clocks.transport(None, clocks.some(range(30, 60), 18_000))),), "ts"
    ),
    Case("order_no_times.ts", PLAIN, (edited(clocks.transport(clocks.absent(range(30, 60)))),), "ts"),
    Case("order_few_times.ts", PYRAMID, (edited(clocks.transport(clocks.absent(range(41, 79)))),), "ts"),
)

WRONG = (
    wrong("wrong_keyframe_hour.mp4", PYRAMID, 40, remuxed(shown_later(HOUR_SECONDS, range(40, 41)))),
    wrong("wrong_keyframe_hour.mkv", PYRAMID, 40, remuxed(shown_later(HOUR_SECONDS, range(40, 41)))),
    wrong("wrong_keyframe_hour.ts", PYRAMID, 40, edited(clocks.transport(clocks.one(40, HOUR_90K))), via="ts"),
    wrong("wrong_keyframe_hour.flv", PLAIN, 75, edited(clocks.flash(clocks.one(75, HOUR_MS))), via="flv"),
    wrong("wrong_picture_hour.mp4", PLAIN, 60, remuxed(shown_later(HOUR_SECONDS, range(60, 61)))),
    wrong("wrong_picture_hour.mkv", PLAIN, 60, remuxed(shown_later(HOUR_SECONDS, range(60, 61)))),
    wrong("wrong_picture_hour.ts", PLAIN, 60, edited(clocks.transport(clocks.one(60, HOUR_90K))), via="ts"),
    wrong("wrong_picture_hour.flv", PLAIN, 60, edited(clocks.flash(clocks.one(60, HOUR_MS))), via="flv"),
    wrong("wrong_first_hour.mkv", PLAIN, 0, edited(clocks.matroska(clocks.one(0, 30_000))), via="mkv"),
    wrong("wrong_first_hour.ts", PLAIN, 0, edited(clocks.transport(clocks.one(0, HOUR_90K))), via="ts"),
    wrong("wrong_first_hour.mp4", PLAIN, 0, remuxed(shown_later(HOUR_SECONDS, range(1)))),
    wrong("wrong_last_hour.mp4", PLAIN, 119, remuxed(shown_later(HOUR_SECONDS, range(119, 120)))),
    wrong("wrong_last_hour.mkv", PLAIN, 119, remuxed(shown_later(HOUR_SECONDS, range(119, 120)))),
    wrong("wrong_last_hour.ts", PLAIN, 119, edited(clocks.transport(clocks.one(119, HOUR_90K))), via="ts"),
    wrong("wrong_zero.ts", PLAIN, 60, edited(clocks.transport(lambda n, ticks: 0 if n == 60 else ticks)), via="ts"),
    wrong("wrong_zero.mkv", PLAIN, 60, edited(clocks.matroska(lambda n, ms: 0 if n == 60 else ms)), via="mkv"),
    wrong("wrong_zero.flv", PLAIN, 60, edited(clocks.flash(lambda n, ms: 0 if n == 60 else ms)), via="flv"),
    wrong("wrong_keyframe_zero.mkv", PLAIN, 50, edited(clocks.matroska(lambda n, ms: 0 if n == 50 else ms)), via="mkv"),
    wrong("wrong_twice.mkv", PLAIN, 60, edited(clocks.matroska(clocks.one(60, 40))), via="mkv"),
    wrong("wrong_twice.ts", PLAIN, 60, edited(clocks.transport(clocks.one(60, 3600))), via="ts"),
    wrong("wrong_twice_b.mp4", PYRAMID, 62, remuxed(shown_with(62, 61))),
    wrong("wrong_earlier.mkv", PLAIN, 60, edited(clocks.matroska(clocks.one(60, -50))), via="mkv"),
    wrong("wrong_earlier.ts", PLAIN, 60, edited(clocks.transport(clocks.one(60, -4500))), via="ts"),
    wrong("wrong_earlier.flv", PLAIN, 60, edited(clocks.flash(clocks.one(60, -50))), via="flv"),
    wrong("wrong_later_dts.ts", PYRAMID, 60, edited(clocks.transport(None, clocks.one(60, HOUR_90K))), via="ts"),
)

HIDDEN = (
    Case("hidden_split.ivf", VP9, (ByFfmpeg(("-c", "copy", "-bsf:v", "vp9_superframe_split")),), "webm"),
    Case("hidden_split.webm", VP9, (ByFfmpeg(("-c", "copy", "-bsf:v", "vp9_superframe_split")),), "webm"),
    Case("hidden_split.mp4", VP9, (ByFfmpeg(("-c", "copy", "-bsf:v", "vp9_superframe_split")),), "webm"),
    Case("hidden_split_av1.mkv", AV1, (ByFfmpeg(("-c", "copy", "-bsf:v", "av1_frame_split")),), "mkv"),
    Case("hidden_split_av1.mp4", AV1, (ByFfmpeg(("-c", "copy", "-bsf:v", "av1_frame_split")),), "mkv"),
)

TIMES: tuple[Case, ...] = (*JUMPS, *UNEVEN, *EDIT_LISTS, *ORDERS, *WRONG, *HIDDEN)
