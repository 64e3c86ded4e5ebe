"""Files of the corpus: how pictures lie in the file."""

from benchmarks.corpus.case import Case

STRUCTURE: tuple[Case, ...] = ()
