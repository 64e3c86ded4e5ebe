"""Files of the corpus: damage."""

from benchmarks.corpus.case import Case

DAMAGE: tuple[Case, ...] = ()
