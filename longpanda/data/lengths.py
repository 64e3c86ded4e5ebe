"""How many tokens each record of a mixture takes: counted once, without opening media, then memory-mapped."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from longpanda.data.conversations import ConversationRules, FactsOf, TooLongError, facts_of, plan_conversation
from longpanda.data.media_facts import MediaError
from longpanda.data.mixture_records import MixtureRecords
from longpanda.data.order import Numbers
from longpanda.data.policy import BadData, reason_of
from longpanda.data.schema import RecordError
from longpanda.errors import PromptError
from longpanda.files import atomic_path, not_writable, write_atomic

if TYPE_CHECKING:
    from longpanda.processing import LongPandaProcessor

VERSION: Final = 1
BAD_RECORD: Final = (RecordError, MediaError, PromptError, TooLongError)
"""Errors that are the fault of one record."""
Codes = npt.NDArray[np.uint32]
Progress = Callable[[int], None]
"""Told of how many records have been measured."""
_SHORTENED: Final = 1 << 31
"""Added to the tokens of a record whose videos lose frames to fit."""
_UNUSABLE: Final = (1 << 32) - 256
"""This and above: the number of a reason why the record cannot be used."""
_CHUNK: Final = 2048
_KEY_LETTERS: Final = 24


@dataclass(frozen=True)
class Lengths:
    """Token counts of the records of each source that are used.

    Args:
        tables: uint32 [records] of each source, memory-mapped: tokens, perhaps with `_SHORTENED`, or a reason.
        reasons: of each source, why records cannot be used; the numbers from `_UNUSABLE` on stand for them in order.
        sha256: of all tables, which says whether two runs pack the same.
    """

    tables: tuple[Codes, ...]
    reasons: tuple[tuple[str, ...], ...]
    sha256: str

    @property
    def is_empty(self) -> bool:
        """Whether no record at all can be used."""
        return not any((table < _UNUSABLE).any() for table in self.tables)

    def tokens(self, sources: Numbers, records: Numbers) -> Numbers:
        """Tokens of some records; 0 for one that cannot be used.

        Args:
            sources: int64 [N], the number of each record's source.
            records: int64 [N], the record's number among those of the source that are used.
        """
        codes = np.empty(len(sources), np.uint32)
        for source in np.unique(sources).tolist():
            here = sources == source
            codes[here] = self.tables[source][records[here]]
        found: Numbers = np.where(codes >= _UNUSABLE, 0, codes & (_SHORTENED - 1)).astype(np.int64)
        return found

    def is_shortened(self, source: int, record: int) -> bool:
        """Whether a record's videos lose frames so that it fits."""
        return bool(_SHORTENED <= self.tables[source][record] < _UNUSABLE)

    def unusable(self, source: int) -> Counter[str]:
        """How many records of a source cannot be used, by reason."""
        codes = self.tables[source]
        numbers = np.bincount(codes[codes >= _UNUSABLE] - np.uint32(_UNUSABLE), minlength=len(self.reasons[source]))
        named = zip(self.reasons[source], numbers.tolist(), strict=True)
        return Counter({reason: count for reason, count in named if count})

    def check(self, records: MixtureRecords, policy: BadData) -> None:
        """Refuse what the policy does not allow, before training. Raises BadDataError."""
        for number, source in enumerate(records.mixture.sources):
            policy.check(source.name, self.unusable(number), len(self.tables[number]))


def measure_lengths(
    records: MixtureRecords,
    processor: "LongPandaProcessor",
    rules: ConversationRules,
    facts: FactsOf,
    cache: Path,
    *,
    facts_identity: str = "",
    processes: int = 1,
    progress: Progress | None = None,
) -> Lengths:
    """Open the token counts of a mixture, and count those of sources that are not counted yet.

    A source's counts are kept under everything that they depend on: the annotation file's content and its selection,
    the tokenizer with its chat template, how frames are chosen and encoded, and the facts of its media. They are
    written as a whole when the source is done: a killed run loses the source in work.

    Args:
        records: of the mixture.
        processor: of the model.
        rules: how records become conversations.
        facts: of media; a function that can be pickled if there are several processes.
        cache: folder of counts; it is made.
        facts_identity: changes whenever `facts` may say something else, such as a manifest's hash.
        processes: that count at the same time.
        progress: called as work goes on.

    Raises:
        ConfigError: a folder that cannot be written, or a file without an entry in the manifest.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_writable(cache, error) from error
    work = _Work(records, processor, rules, facts)
    known = [processor_identity(processor), facts_identity]
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _begin, (work,)) if processes > 1 else None
    try:
        tables = [_table(work, number, known, cache, pool, progress) for number in range(len(records.ranges))]
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)
    sha256 = hashlib.sha256(" ".join(about["sha256"] for _, about in tables).encode()).hexdigest()
    return Lengths(tuple(codes for codes, _ in tables), tuple(tuple(about["reasons"]) for _, about in tables), sha256)


def processor_identity(processor: "LongPandaProcessor") -> str:
    """A hash of what token counts depend on: tokenizer, chat template and how frames become tokens."""
    tokenizer, frames = processor.tokenizer, processor.image_processor
    fast = getattr(tokenizer, "backend_tokenizer", None)
    words = fast.to_str() if fast is not None else json.dumps(sorted(tokenizer.get_vocab().items()))
    parts = [words, processor.chat_template, frames.stab_config, frames.temporal_config, frames.times_seconds]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True)
class _Work:
    """What a process needs to count tokens."""

    records: MixtureRecords
    processor: "LongPandaProcessor"
    rules: ConversationRules
    facts: FactsOf

    def codes(self, source: int, numbers: range) -> tuple[npt.NDArray[np.int64], list[str]]:
        """Of some records of a source: tokens, or -1 - the number of a reason in the list."""
        reasons: dict[str, int] = {}
        codes = np.empty(len(numbers), np.int64)
        for place, number in enumerate(numbers):
            try:
                codes[place] = self._tokens(source, number)
            except BAD_RECORD as error:
                codes[place] = -1 - reasons.setdefault(reason_of(error), len(reasons))
        return codes, list(reasons)

    def _tokens(self, source: int, number: int) -> int:
        record = self.records.read(source, number)
        parts = facts_of(record, self.records.mixture.sources[source], self.facts)
        plan = plan_conversation(self.processor, record, parts, self.rules)
        return plan.tokens + _SHORTENED * (plan.most_frames is not None)


_WORK: list[_Work] = []
"""The work of a process of the pool; set once when it starts."""


def _begin(work: _Work) -> None:
    _WORK.append(work)


def _codes(source: int, numbers: range) -> tuple[npt.NDArray[np.int64], list[str]]:
    return _WORK[0].codes(source, numbers)


def _table(
    work: _Work, source: int, known: list[str], cache: Path, pool: ProcessPoolExecutor | None, progress: Progress | None
) -> tuple[Codes, dict[str, Any]]:
    """The counts of a source and what is said of them, from the cache if they are there."""
    base = cache / _key(work, source, known)
    numbers = range(len(work.records.ranges[source]))
    if (found := _opened(base, len(numbers))) is not None:
        return found
    codes, reasons = np.empty(len(numbers), np.uint32), dict[str, int]()
    chunks = [numbers[start : start + _CHUNK] for start in range(0, len(numbers), _CHUNK)]
    for chunk, (counted_codes, names) in zip(chunks, _counted(work, source, chunks, pool), strict=True):
        own = np.array([_UNUSABLE + reasons.setdefault(name, len(reasons)) for name in names], np.int64)
        is_bad = counted_codes < 0
        counted_codes[is_bad] = own[-1 - counted_codes[is_bad]]
        codes[chunk.start : chunk.stop] = counted_codes
        if progress is not None:
            progress(len(chunk))
    with atomic_path(base.with_suffix(".npy")) as name, open(name, "wb") as file:
        np.save(file, codes)
    about = {"reasons": list(reasons), "sha256": hashlib.sha256(codes.tobytes()).hexdigest()}
    write_atomic(base.with_suffix(".json"), json.dumps(about))
    return _opened(base, len(numbers)) or (codes, about)


def _counted(
    work: _Work, source: int, chunks: list[range], pool: ProcessPoolExecutor | None
) -> Iterator[tuple[npt.NDArray[np.int64], list[str]]]:
    if pool is None:
        return (work.codes(source, chunk) for chunk in chunks)
    return pool.map(_codes, [source] * len(chunks), chunks)


def _opened(base: Path, count: int) -> tuple[Codes, dict[str, Any]] | None:
    try:
        about = json.loads(base.with_suffix(".json").read_text(encoding="utf-8"))
        codes = np.load(base.with_suffix(".npy"), mmap_mode="r")
        is_whole = codes.shape == (count,) and codes.dtype == np.uint32
        return (codes, about) if is_whole and {"reasons", "sha256"} <= about.keys() else None
    except (OSError, ValueError):
        return None


def _key(work: _Work, source: int, known: list[str]) -> str:
    one, used = work.records.mixture.sources[source], work.records.ranges[source]
    parts = {
        "version": VERSION,
        "annotations": work.records.indexes[source].sha256,
        "used": [used.start, used.stop],
        "root": None if one.root is None else [str(one.root.path), one.root.frames_fps],
        "is_frames": one.is_frames,
        "media_type": one.media_type,
        "rules": asdict(work.rules),
        "known": known,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:_KEY_LETTERS]
