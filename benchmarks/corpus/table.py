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

EXPLAINED = {
    "av1.avif": "FFmpeg's command line chooses the still picture of the file, LongPanda its moving ones",
    "jump_other_codec.ts": "the codec changes midway: FFmpeg's command line decodes the second part, PyAV the first",
    "webp.webp": "PyAV's FFmpeg 8.1 has no decoder for animated WebP; FFmpeg 9.0's command line has one",
}
"""Why differences of a file are as they should be."""
