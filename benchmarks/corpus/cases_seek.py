"""Files of the corpus in which seeking is hard: few pictures take most bytes, or the index is wrong or missing."""

from collections.abc import Mapping

from benchmarks.corpus import clocks
from benchmarks.corpus.case import Case
from benchmarks.corpus.cases_codecs import MPEG2, MPEG4, MPEG4_B, OPEN_GOP, PYRAMID, VP8
from benchmarks.corpus.files import edited, unfinished, without_index
from benchmarks.corpus.film import Film


def _busy(codec: str, options: Mapping[str, str], **more: object) -> Film:
    return Film(codec, {"b": "3000000", **options}, count=250, busy_from=130, **more)  # type: ignore[arg-type]


H264_BUSY = _busy("libx264", PYRAMID.options)
H264_IN_ORDER = _busy("libx264", {"g": "50", "bf": "0"})
MPEG4_BUSY = _busy("mpeg4", {"g": "50"})
MPEG2_BUSY = _busy("mpeg2video", MPEG2.options)

SEEK = (
    Case("busy.mp4", H264_BUSY),
    Case("busy.mkv", H264_BUSY),
    Case("busy_live.mkv", _busy("libx264", PYRAMID.options, mux={"live": "1"})),
    Case("busy.ts", H264_BUSY),
    Case("busy.m2ts", H264_BUSY),
    Case("busy_open.ts", _busy("libx264", OPEN_GOP.options)),
    Case("busy.flv", H264_BUSY),
    Case("busy_index.flv", _busy("libx264", PYRAMID.options, mux={"flvflags": "add_keyframe_index"})),
    Case("busy.nut", H264_BUSY),
    Case("busy.asf", H264_IN_ORDER),
    Case("busy.vob", MPEG2_BUSY),
    Case("busy.mpg", _busy("mpeg1video", MPEG2.options)),
    Case("busy.m2v", _busy("mpeg2video", MPEG2.options, format="mpeg2video"), is_timed=False),
    Case("busy.m4v", _busy("mpeg4", {"g": "50"}, format="m4v"), is_timed=False),
    Case("busy.avi", MPEG4_BUSY),
    Case("busy_no_index.avi", MPEG4_BUSY, (edited(without_index),), "avi"),
    Case("busy_unfinished.avi", MPEG4_BUSY, (edited(unfinished),), "avi"),
    Case("busy_no_index_mjpeg.avi", _busy("mjpeg", {}, pix_fmt="yuvj420p"), (edited(without_index),), "avi"),
    Case("busy.mjpeg", _busy("mjpeg", {}, pix_fmt="yuvj420p", format="mjpeg"), is_timed=False),
    Case("busy.rm", _busy("rv20", {"g": "50"})),
    Case("busy.swf", _busy("flv", {"g": "50"})),
    Case("busy.webm", _busy("libvpx", VP8.options)),
    Case("busy.ivf", _busy("libvpx", VP8.options)),
    Case("busy_vp8.ogv", _busy("libvpx", VP8.options, format="ogg")),
    Case("busy.h264", H264_BUSY, is_timed=False),
    Case("busy.wmv", _busy("wmv2", {"g": "50"}, format="asf")),
    Case("busy.mxf", MPEG2_BUSY),
    Case("busy.gif", Film("gif", pix_fmt="rgb8", count=200, busy_from=100)),
    Case("lying_cues.mkv", PYRAMID, (edited(clocks.lying_cues),), "mkv"),
    Case("lying_cues_busy.mkv", H264_BUSY, (edited(clocks.lying_cues),), "mkv"),
    Case("cues_in_front.mkv", Film(options=PYRAMID.options, mux={"cues_to_front": "1"})),
    Case("small_clusters.mkv", Film(options=PYRAMID.options, mux={"cluster_time_limit": "100"})),
    Case("hybrid.mp4", Film(options=PYRAMID.options, mux={"movflags": "hybrid_fragmented"})),
    Case("roq.roq", Film("roqvideo", fps=30, pix_fmt="yuvj444p", size_px=(128, 128), count=60)),
    Case("gxf.gxf", Film("mpeg2video", {"g": "12"}, size_px=(576, 720), count=20), is_timed=False),
    Case("dv.dv", Film("dvvideo", size_px=(576, 720), count=20)),
    Case("dv.avi", Film("dvvideo", size_px=(576, 720), count=20)),
    Case("wtv.wtv", MPEG2),
    Case("cinepak.cpk", Film("cinepak", pix_fmt="rgb24", format="film_cpk", count=40)),
    Case("mjpeg.mpjpeg", Film("mjpeg", pix_fmt="yuvj420p", format="mpjpeg", count=60), is_timed=False),
    Case("smjpeg.mjpg", Film("mjpeg", pix_fmt="yuvj420p", format="smjpeg")),
    Case("ismv.ismv", PYRAMID),
    Case("f4v.f4v", PYRAMID),
    Case("svcd.mpg", Film("mpeg2video", MPEG2.options, format="svcd")),
    Case("av1.avif", Film("libsvtav1", {"g": "40"}, format="avif", count=40)),
    Case("h261.h261", Film("h261", {"g": "25"}, size_px=(144, 176), format="h261"), is_timed=False),
    Case("h263.h263", Film("h263", {"g": "25"}, format="h263"), is_timed=False),
    Case("mpeg4_b.m4v", Film("mpeg4", MPEG4_B.options, format="m4v"), is_timed=False),
    Case("mpeg4_b.asf", MPEG4_B),
    Case("mpeg4_b.nut", MPEG4_B),
    Case("mpeg4.vob", MPEG4),
    Case("dirac.drc", Film("vc2", pix_fmt="yuv422p", format="dirac", count=40), is_timed=False),
    Case("snow.nut", Film("snow", {"g": "25"}, count=60)),
)
