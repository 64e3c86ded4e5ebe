"""Files of the corpus: containers and codecs with nothing unusual."""

from fractions import Fraction

from benchmarks.corpus.case import ByFfmpeg, Case
from benchmarks.corpus.film import Film

PLAIN = Film(options={"g": "25", "bf": "0", "sc_threshold": "0"})
PYRAMID = Film(options={"g": "40", "bf": "3", "b-pyramid": "normal", "sc_threshold": "0", "refs": "4"})
OPEN_GOP = Film(
    options={"g": "30", "bf": "3", "x264-params": "open-gop=1:bframes=3:keyint=30:min-keyint=30:scenecut=0"}
)
X265 = "keyint=30:min-keyint=30:scenecut=0:bframes=3:log-level=none:pools=none:frame-threads=1"
HEVC = Film("libx265", {"x265-params": X265 + ":open-gop=0"})
HEVC_OPEN = Film("libx265", {"x265-params": X265 + ":open-gop=1"})
VP8 = Film("libvpx", {"g": "40", "auto-alt-ref": "1", "lag-in-frames": "16"})
VP9 = Film("libvpx-vp9", {"g": "40", "auto-alt-ref": "1", "lag-in-frames": "16"})
AV1 = Film("libsvtav1", {"g": "40"})
MPEG2 = Film("mpeg2video", {"g": "12", "bf": "2"})
MPEG4 = Film("mpeg4", {"g": "30", "bf": "0"})
MPEG4_B = Film("mpeg4", {"g": "30", "bf": "2"})

CODECS = (
    Case("h264_plain.mp4", PLAIN),
    Case("h264_pyramid.mp4", PYRAMID),
    Case("h264_pyramid.mov", PYRAMID),
    Case("h264_pyramid.mkv", PYRAMID),
    Case("h264_pyramid.ts", PYRAMID),
    Case("h264_pyramid.m2ts", PYRAMID),
    Case("h264_pyramid.flv", PYRAMID),
    Case("h264_pyramid.nut", PYRAMID),
    Case("h264_pyramid.avi", PYRAMID),
    Case("h264_pyramid.asf", PYRAMID),
    Case("h264_pyramid.vob", PYRAMID),
    Case("h264_pyramid.3gp", PYRAMID),
    Case("h264_pyramid.mxf", PYRAMID),
    Case("h264_pyramid.h264", PYRAMID, is_timed=False),
    Case("h264_open.mp4", OPEN_GOP),
    Case("h264_open.mkv", OPEN_GOP),
    Case("h264_open.ts", OPEN_GOP),
    Case("h264_intra_only.mov", Film(options={"g": "1"})),
    Case("h264_long.mp4", Film(options={"g": "9999", "keyint_min": "9999", "bf": "2", "sc_threshold": "0"}, count=250)),
    Case("h264_refresh.mp4", Film(options={"x264-params": "intra-refresh=1:keyint=20:bframes=0"})),
    Case("h264_refresh.ts", Film(options={"x264-params": "intra-refresh=1:keyint=20:bframes=0"})),
    Case("h264_interlaced.ts", Film(options={"x264-params": "tff=1:keyint=25:bframes=2"})),
    Case("hevc_closed.mp4", HEVC),
    Case("hevc_open.mp4", HEVC_OPEN),
    Case("hevc_open.mkv", HEVC_OPEN),
    Case("hevc_open.ts", HEVC_OPEN),
    Case("hevc_open.hevc", HEVC_OPEN, is_timed=False),
    Case("vp8_hidden.webm", VP8),
    Case("vp8_hidden.ivf", VP8),
    Case("vp9_hidden.webm", VP9),
    Case("vp9_hidden.mp4", VP9),
    Case("vp9_hidden.ivf", VP9),
    Case("av1.mp4", AV1),
    Case("av1.mkv", AV1),
    Case("av1.ivf", AV1),
    Case("av1.obu", AV1, is_timed=False),
    Case("mpeg1.mpg", Film("mpeg1video", {"g": "12", "bf": "2"}, format="mpeg")),
    Case("mpeg2.vob", MPEG2),
    Case("mpeg2.ts", MPEG2),
    Case("mpeg2.mpg", MPEG2),
    Case("mpeg2.mxf", MPEG2),
    Case("mpeg2.m2v", Film("mpeg2video", {"g": "12", "bf": "2"}, format="mpeg2video"), is_timed=False),
    Case("mpeg4.avi", MPEG4),
    Case("mpeg4_b.avi", MPEG4_B),
    Case("mpeg4_b.mp4", MPEG4_B),
    Case("mpeg4.m4v", Film("mpeg4", {"g": "30"}, format="m4v"), is_timed=False),
    Case("mpeg4_packed.avi", PLAIN, (ByFfmpeg(("-c:v", "libxvid", "-bf", "2", "-b:v", "2M", "-vtag", "XVID")),), "mp4"),
    Case("mjpeg.avi", Film("mjpeg", pix_fmt="yuvj420p")),
    Case("mjpeg.mov", Film("mjpeg", pix_fmt="yuvj420p")),
    Case("mjpeg.mjpeg", Film("mjpeg", pix_fmt="yuvj420p", format="mjpeg"), is_timed=False),
    Case("wmv2.wmv", Film("wmv2", {"g": "25"}, format="asf")),
    Case("msmpeg4.avi", Film("msmpeg4", {"g": "25"})),
    Case("flv1.flv", Film("flv", {"g": "25"})),
    Case("flv1.swf", Film("flv", {"g": "25"})),
    Case("rv20.rm", Film("rv20", {"g": "25"})),
    Case("theora.ogv", PLAIN, (ByFfmpeg(("-c:v", "libtheora", "-q:v", "9", "-g", "25")),)),
    Case("vp8.ogv", VP8, (ByFfmpeg(("-c", "copy", "-f", "ogg")),), "webm"),
    Case("vvc.mp4", PLAIN, (ByFfmpeg(("-c:v", "libvvenc", "-preset", "faster", "-qp", "20")),)),
    Case("prores.mov", Film("prores_ks", pix_fmt="yuv422p10le")),
    Case("ffv1.mkv", Film("ffv1")),
    Case("ffv1.nut", Film("ffv1")),
    Case("huffyuv.avi", Film("huffyuv", pix_fmt="yuv422p")),
    Case("raw.avi", Film("rawvideo", count=60)),
    Case("raw.y4m", Film("rawvideo", format="yuv4mpegpipe", count=60)),
    Case("dnxhd.mxf", Film("dnxhd", {"profile": "dnxhr_sq"}, pix_fmt="yuv422p", size_px=(144, 256), count=60)),
    Case("svq1.mov", Film("svq1", pix_fmt="yuv410p", count=60)),
    Case("h263.3gp", Film("h263", {"g": "25"})),
    Case("gif.gif", Film("gif", pix_fmt="rgb8")),
    Case("apng.apng", Film("apng", pix_fmt="rgb24", format="apng", count=60)),
    Case("webp.webp", Film("libwebp_anim", pix_fmt="bgra", format="webp", count=40)),
    Case("h264_10bit.mp4", Film("libx264", {"g": "25", "bf": "2"}, pix_fmt="yuv420p10le")),
    Case("h264_ntsc.mp4", Film(options={"g": "25", "bf": "2"}, fps=Fraction(30000, 1001))),
    Case("h264_ntsc.ts", Film(options={"g": "25", "bf": "2"}, fps=Fraction(30000, 1001))),
    Case("h264_odd_size.mp4", Film(options={"g": "25"}, pix_fmt="yuv444p", size_px=(99, 135))),
)
