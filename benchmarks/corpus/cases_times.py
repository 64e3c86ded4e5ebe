"""Files of the corpus: times."""

from benchmarks.corpus.case import Case

TIMES: tuple[Case, ...] = ()
