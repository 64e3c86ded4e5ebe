"""All files of the corpus."""

from benchmarks.corpus.case import Case
from benchmarks.corpus.cases_codecs import CODECS
from benchmarks.corpus.cases_damage import DAMAGE
from benchmarks.corpus.cases_more import MORE
from benchmarks.corpus.cases_places import PLACES
from benchmarks.corpus.cases_seek import SEEK
from benchmarks.corpus.cases_structure import STRUCTURE
from benchmarks.corpus.cases_times import TIMES

CASES: tuple[Case, ...] = (*CODECS, *STRUCTURE, *TIMES, *DAMAGE, *SEEK, *MORE, *PLACES)

_CROPPED = (
    "FFmpeg crops before it makes colours of the picture, LongPanda after: edges differ by the colours beyond them"
)
_DAMAGED = "a damaged packet's picture is not shown, and what a decoder patches up depends on where decoding begins"
_LOST_COUNT = (
    "without its keyframe FFmpeg's decoder loses count, and FFmpeg shows pictures in that order; here by their times"
)

EXPLAINED = {
    "after_a_cut.ts": _DAMAGED,
    "av1.avif": "FFmpeg's command line chooses the still picture of the file, LongPanda its moving ones",
    "cropped.mkv": _CROPPED,
    "cropped_aside.mp4": _CROPPED,
    "cut.ivf": _DAMAGED,
    "glued_mpeg2.mkv": _DAMAGED,
    "h263.h263": "a bare stream: the time of its first picture is rounded",
    "hole.asf": _DAMAGED,
    "hole.ts": _DAMAGED,
    "hole.vob": _DAMAGED,
    "jump_hour.flv": "FLV may hold a picture for an hour, and FFmpeg holds it, too; the notice says so",
    "jump_often_b.ts": "the clock jumps again and again between B pictures: six of them are lost",
    "jump_other_codec.ts": "the codec changes midway: FFmpeg's command line decodes the second part, PyAV the first",
    "jump_two_clocks.mp4": "FFmpeg hides what goes back in a fragmented MP4; what is left follows without a gap",
    "jump_two_clocks.ogv": "two packets without a picture stand between the recordings, and their time is counted",
    "lost_keyframe.mkv": _LOST_COUNT,
    "lost_keyframe.mp4": _LOST_COUNT,
    "lost_keyframe.ts": _LOST_COUNT,
    "mpeg4_packed.avi": "XviD leaves out two packets that AVI counts; FFmpeg shows the first 13 pictures two late",
    "noise.ts": _DAMAGED,
    "noise.vob": _DAMAGED,
    "noise_open.ts": _DAMAGED,
    "sprinkled.mkv": _DAMAGED,
    "sprinkled.mp4": _DAMAGED,
    "telecine.m2v": "a bare stream: fields that are shown twice are not counted",
    "webp.webp": "PyAV's FFmpeg 8.1 has no decoder for animated WebP; FFmpeg 9.0's command line has one",
    "wrong_hour_first_group.mkv": "the picture that is missing is the one whose time is wrong",
    "wrong_last_lasts.mkv": "the packet before says that its picture lasts an hour, so that both are believed",
}
"""The reasons for known differences, by file."""
