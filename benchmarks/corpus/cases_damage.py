"""Files of the corpus that are truncated, overwritten or lack packets."""

from dataclasses import replace

from benchmarks.corpus.case import Case
from benchmarks.corpus.cases_codecs import HEVC_OPEN, MPEG2, MPEG4, OPEN_GOP, PLAIN, PYRAMID, VP8, VP9
from benchmarks.corpus.files import cut, edited, hole, sprinkled
from benchmarks.corpus.film import Film
from benchmarks.corpus.packets import remuxed, without, without_keyframe

FASTSTART = Film(options=PYRAMID.options, mux={"movflags": "faststart"})
FLV1 = Film("flv", {"g": "25"})


def _cut(name: str, film: Film) -> Case:
    ending = name.rpartition(".")[2]
    return Case(f"cut.{name}", film, (edited(cut(0.6)),), ending)


_DAMAGE = (
    _cut("mp4", FASTSTART),
    _cut("mkv", PYRAMID),
    _cut("ts", PYRAMID),
    _cut("flv", PYRAMID),
    _cut("avi", MPEG4),
    _cut("asf", PLAIN),
    _cut("webm", VP8),
    _cut("vob", MPEG2),
    _cut("nut", PYRAMID),
    _cut("gif", Film("gif", pix_fmt="rgb8")),
    _cut("rm", Film("rv20", {"g": "25"})),
    _cut("swf", FLV1),
    _cut("ivf", VP9),
    _cut("open.ts", OPEN_GOP),
    _cut("open.hevc.mkv", HEVC_OPEN),
    Case("hole.mp4", FASTSTART, (edited(hole(0.5, 2000)),)),
    Case("hole.mkv", PYRAMID, (edited(hole(0.5, 2000)),), "mkv"),
    Case("hole.ts", PYRAMID, (edited(hole(0.5, 2000)),), "ts"),
    Case("hole.flv", PYRAMID, (edited(hole(0.5, 2000)),), "flv"),
    Case("hole.avi", MPEG4, (edited(hole(0.5, 2000)),), "avi"),
    Case("hole.asf", PLAIN, (edited(hole(0.5, 2000)),), "asf"),
    Case("hole.webm", VP9, (edited(hole(0.5, 2000)),), "webm"),
    Case("hole.vob", MPEG2, (edited(hole(0.5, 4000)),), "vob"),
    Case("hole_vp8.webm", VP8, (edited(hole(0.5, 2000)),), "webm"),
    Case("noise.mp4", FASTSTART, (edited(hole(0.5, 1000, noise=True)),)),
    Case("noise.mkv", PYRAMID, (edited(hole(0.5, 1000, noise=True)),), "mkv"),
    Case("noise.ts", PYRAMID, (edited(hole(0.5, 1000, noise=True)),), "ts"),
    Case("noise_open.ts", HEVC_OPEN, (edited(hole(0.5, 1000, noise=True)),), "ts"),
    Case("noise.vob", MPEG2, (edited(hole(0.5, 1000, noise=True)),), "vob"),
    Case("noise.flv", FLV1, (edited(hole(0.5, 1000, noise=True)),), "flv"),
    Case("sprinkled.mp4", FASTSTART, (edited(sprinkled(8)),)),
    Case("sprinkled.mkv", PYRAMID, (edited(sprinkled(8)),), "mkv"),
    Case("sprinkled.ts", PYRAMID, (edited(sprinkled(12)),), "ts"),
    Case("sprinkled.avi", MPEG4, (edited(sprinkled(8)),), "avi"),
    Case("sprinkled.m2v", Film("mpeg2video", MPEG2.options, format="mpeg2video"), (edited(sprinkled(8)),), "m2v"),
    Case("sprinkled_open.mkv", HEVC_OPEN, (edited(sprinkled(8)),), "mkv"),
    Case("lost_keyframe.mp4", PYRAMID, (remuxed(without_keyframe(1)),)),
    Case("lost_keyframe.mkv", PYRAMID, (remuxed(without_keyframe(1)),)),
    Case("lost_keyframe.ts", PYRAMID, (remuxed(without_keyframe(1)),)),
    Case("lost_keyframe_hevc.mkv", HEVC_OPEN, (remuxed(without_keyframe(1)),)),
    Case("lost_keyframe.webm", VP9, (remuxed(without_keyframe(1)),), "webm"),
    Case("lost_packets.mkv", PYRAMID, (remuxed(without(range(50, 56))),)),
    Case("lost_packets.mp4", PLAIN, (remuxed(without(range(60, 66))),)),
    Case("lost_packets.ts", PYRAMID, (remuxed(without(range(50, 56))),)),
    Case("lost_packets.vob", MPEG2, (remuxed(without(range(50, 56))),), "ts"),
    Case("lost_packets.webm", VP8, (remuxed(without(range(50, 56))),), "webm"),
    Case("lost_packets.avi", MPEG4, (remuxed(without(range(50, 56))),)),
)

DAMAGE = tuple(replace(case, is_damaged=True, promises_more=True) for case in _DAMAGE)
