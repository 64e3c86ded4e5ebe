"""Packs of conversations, decoded ahead of the model in processes that may hang or crash without stopping training."""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from multiprocessing import get_all_start_methods, get_context
from typing import TYPE_CHECKING, Any, Final, Protocol

from longpanda.data.conversations import (
    ConversationRules,
    FactsOf,
    conversation,
    facts_of,
    plan_conversation,
)
from longpanda.data.frame_choice import FrameChoice
from longpanda.data.lengths import BAD_RECORD, Lengths
from longpanda.data.media import read_clip
from longpanda.data.media_facts import MediaError, MediaFault
from longpanda.data.mixture import Source
from longpanda.data.mixture_records import MixtureRecords
from longpanda.data.packing import PackOrder, PackState
from longpanda.data.policy import BadData, SkipCounts
from longpanda.data.probing import check_pebble
from longpanda.data.schema import Media, Record
from longpanda.errors import ConfigError, LongPandaError
from longpanda.types import Pack, VideoClip

if TYPE_CHECKING:
    from pebble import ProcessPool

    from longpanda.processing import LongPandaProcessor

TASKS_OF_A_PROCESS: Final = 2000
"""Media that a process reads before another takes its place, so that what a decoder leaks does not add up."""
ReadClip = Callable[[Media, Source, FrameChoice, tuple[int, int] | None], VideoClip]


@dataclass(frozen=True)
class PackedData:
    """What training on a mixture needs to know, the same in every process.

    Args:
        records: of the mixture.
        lengths: their token counts.
        packs: the order of packs.
        processor: of the model.
        rules: with which the lengths were counted.
        facts: with which the lengths were counted.
    """

    records: MixtureRecords
    lengths: Lengths
    packs: PackOrder
    processor: "LongPandaProcessor"
    rules: ConversationRules
    facts: FactsOf

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that the order of packs depends on."""
        order, packs = self.packs.order, self.packs
        parts = (order.counts, order.repeats, order.seed, packs.budget, packs.window_places, self.lengths.sha256)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class LoaderState:
    """All that resuming needs, whatever the number of processes.

    Args:
        pack: index of the next pack.
        window: the window of the order that holds it.
        first_pack: index of that window's first pack.
        fingerprint: of the data.
    """

    pack: int
    window: int
    first_pack: int
    fingerprint: str

    def as_dict(self) -> dict[str, Any]:
        """For a checkpoint; `LoaderState(**values)` reads it."""
        return asdict(self)

    def check(self, data: PackedData) -> None:
        """Refuse a state of other data, whose packs have other numbers.

        Raises:
            ConfigError: records, token counts, the seed or the budget are not those of the state.
        """
        if self.fingerprint != data.fingerprint:
            found = f"data {data.fingerprint}, a state of data {self.fingerprint}"
            expected = "the same records, token counts, seed and budget"
            raise ConfigError(found, expected, "restore them, or start a new run")

    @property
    def packs_from(self) -> PackState:
        """Where `PackOrder` may begin."""
        return PackState(self.window, self.first_pack)


@dataclass(frozen=True)
class LoaderSettings:
    """How packs are read.

    Args:
        workers: processes that read media; 0 reads in this one, without a time limit.
        packs_ahead: packs that are held in memory or being read, beside the one that is in use.
        limit_seconds: for one image or video; a process that takes longer is ended, and the record is left out.

    Raises:
        ConfigError: a number that cannot be, or pebble is not installed and there are workers.
    """

    workers: int = 2
    packs_ahead: int = 4
    limit_seconds: float = 120.0

    def __post_init__(self) -> None:
        if self.workers < 0 or self.packs_ahead < 1 or not self.limit_seconds > 0:
            found = f"workers {self.workers}, packs_ahead {self.packs_ahead}, limit_seconds {self.limit_seconds:g}"
            raise ConfigError(found, "at least 0, at least 1, and above 0", "correct the loader's settings")
        if self.workers:
            check_pebble()


@dataclass(frozen=True)
class Share:
    """Which packs a training process reads: each `processes`-th one, so that all together read every pack once.

    Args:
        rank: number of the process, from 0.
        processes: of the training run.
    """

    rank: int = 0
    processes: int = 1


@dataclass(frozen=True)
class LoadedPack:
    """A pack as the model takes it.

    Args:
        index: in the order of packs.
        conversations: of the records that could be read; fewer than there are places if some are left out, perhaps
            none.
        records: source and number of the record of each conversation.
    """

    index: int
    conversations: Pack
    records: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class SourceCount:
    """Records of a source in a run.

    Args:
        name: of the source.
        seen: records that were shown or left out.
        expected: its part of all that were seen, by the mixture; about the same from some thousands of records on.
        skipped: records that were left out.
    """

    name: str
    seen: int
    expected: float
    skipped: int


class Result(Protocol):
    """A clip that is being read."""

    def result(self) -> VideoClip:
        """The clip. Raises what reading it raises."""


@dataclass(frozen=True)
class _Item:
    """A record whose media are being read, or the error for which it cannot be."""

    source: int
    number: int
    record: Record | None = None
    clips: tuple[Result, ...] = ()
    error: LongPandaError | None = None


class PackLoader:
    """Reads packs in order, ahead of their use. Iterate it without end; close it, or use it as a context manager.

    Args:
        data: what is read.
        settings: how.
        policy: what becomes of records that cannot be read.
        state: where to go on; None from the first pack.
        share: which packs this process reads.
        read: reads a clip; a function that can be pickled.

    Attributes:
        skips: what was shown and what was left out.
        wait_seconds: time that `next` has waited for media.

    Raises:
        ConfigError: the state is of other data.
    """

    def __init__(
        self,
        data: PackedData,
        settings: LoaderSettings | None = None,
        policy: BadData | None = None,
        state: LoaderState | None = None,
        share: Share | None = None,
        read: ReadClip = read_clip,
    ) -> None:
        if state is not None:
            state.check(data)
            data = replace(data, packs=replace(data.packs, start=state.packs_from))
        self._data, self._settings, self._share = data, settings or LoaderSettings(), share or Share()
        self._read, self._first = read, 0 if state is None else state.pack
        self._next, self._taken = self._first + self._share.rank, 0
        self._ahead: deque[tuple[int, list[_Item]]] = deque()
        self._began: float | None = None
        self.skips, self.wait_seconds = SkipCounts(policy or BadData()), 0.0
        self._pool = _pool(self._settings.workers) if self._settings.workers else None

    def __enter__(self) -> "PackLoader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes; what they are reading is lost."""
        self._ahead.clear()
        if self._pool is not None:
            self._pool.stop()
            self._pool.join()
            self._pool = None

    def __iter__(self) -> Iterator[LoadedPack]:
        return self

    def __next__(self) -> LoadedPack:
        """The next pack of this process.

        Raises:
            BadDataError: more records cannot be read than the policy allows.
        """
        self._began = self._began or time.monotonic()
        self._fill(self._settings.packs_ahead if self._pool else 1)
        index, items = self._ahead.popleft()
        loaded = [(item, made) for item in items if (made := self._made(item)) is not None]
        self._taken += 1
        if self._pool:
            self._fill(self._settings.packs_ahead)
        records = tuple((item.source, item.number) for item, _ in loaded)
        return LoadedPack(index, tuple(made for _, made in loaded), records)

    @property
    def wait_share(self) -> float:
        """The share of the time since the first pack was asked for in which media were waited for."""
        return 0.0 if self._began is None else self.wait_seconds / max(1e-9, time.monotonic() - self._began)

    def counts(self) -> list[SourceCount]:
        """What has been taken of each source so far, beside what the mixture says."""
        order, seen = self._data.packs.order, self.skips.seen
        total = sum(seen.values())
        return [
            SourceCount(
                source.name,
                seen[source.name],
                total * shown / len(order),
                sum(self.skips.skipped[source.name].values()),
            )
            for source, shown in zip(self._data.records.mixture.sources, order.shown, strict=True)
        ]

    def state(self) -> LoaderState:
        """Where a run goes on if every one of its processes has taken as many packs as this one."""
        pack = self._first + self._taken * self._share.processes
        window = self._data.packs.state(pack)
        return LoaderState(pack, window.window, window.first_pack, self._data.fingerprint)

    def _fill(self, packs: int) -> None:
        while len(self._ahead) < packs:
            self._ahead.append((self._next, self._started(self._next)))
            self._next += self._share.processes

    def _started(self, index: int) -> list[_Item]:
        """Begin to read the media of a pack."""
        places = self._data.packs.pack(index)
        sources, numbers = self._data.packs.order.locate(places)
        return [self._start(*pair) for pair in zip(sources.tolist(), numbers.tolist(), strict=True)]

    def _start(self, source: int, number: int) -> _Item:
        data, where = self._data, self._data.records.mixture.sources[source]
        try:
            record = data.records.read(source, number)
            parts = facts_of(record, where, data.facts)
            choice = data.rules.choice
            if data.lengths.is_shortened(source, number):
                most = plan_conversation(data.processor, record, parts, data.rules).most_frames
                choice = choice if most is None else choice.limited(most)
        except BAD_RECORD as error:
            return _Item(source, number, error=error)
        sizes = [data.processor.image_processor.size_for(part.height_px, part.width_px) for part in parts]
        clips = [self._schedule(media, where, choice, size) for media, size in zip(record.media, sizes, strict=True)]
        return _Item(source, number, record, tuple(clips))

    def _schedule(self, media: Media, source: Source, choice: FrameChoice, size_px: tuple[int, int]) -> Result:
        if self._pool is None:
            return _Now(partial(self._read, media, source, choice, size_px))
        limit = self._settings.limit_seconds
        task: Future[VideoClip] = self._pool.schedule(self._read, (media, source, choice, size_px), timeout=limit)
        return _Later(task, media, limit)

    def _made(self, item: _Item) -> Any:
        """The conversation of a record; None, counted, if it is left out."""
        name = self._data.records.mixture.sources[item.source].name
        began = time.monotonic()
        try:
            if item.error is not None or item.record is None:
                raise item.error or AssertionError("a record or an error")
            clips = [clip.result() for clip in item.clips]
        except BAD_RECORD as error:
            self.wait_seconds += time.monotonic() - began
            self.skips.saw(name, error)
            return None
        self.wait_seconds += time.monotonic() - began
        self.skips.saw(name)
        return conversation(item.record, clips, self._data.rules)


@dataclass(frozen=True)
class _Now:
    """Reads when it is asked, in this process."""

    read: Callable[[], VideoClip]

    def result(self) -> VideoClip:
        return self.read()


@dataclass(frozen=True)
class _Later:
    """Waits for a process."""

    task: "Future[VideoClip]"
    media: Media
    limit_seconds: float

    def result(self) -> VideoClip:
        from pebble import ProcessExpired

        expected, remedy = "media that can be read", "probe it with longpanda data prepare, and look at the file"
        try:
            return self.task.result()
        except TimeoutError as error:
            found = f"'{self.media.path}': no frames in {self.limit_seconds:g} s"
            raise MediaError(found, expected, remedy, MediaFault.TIMEOUT) from error
        except (ProcessExpired, MemoryError) as error:
            found = f"'{self.media.path}': the process that read it ended"
            raise MediaError(found, expected, remedy, MediaFault.CRASHED) from error


def _pool(workers: int) -> "ProcessPool":
    """Processes that are forked from a small one that has never decoded.

    A fork of this process, with the threads of PyAV and PyTorch, might never wake up. The small process has the imports
    done, so that one that takes the place of an ended one is there at once. It imports the main module again, though:
    a script whose top level imports transformers makes that take seconds.
    """
    from pebble import ProcessPool

    method = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"
    context = get_context(method)
    context.set_forkserver_preload(["longpanda.data.media", "longpanda.video.opened", "torch"])
    return ProcessPool(workers, max_tasks=TASKS_OF_A_PROCESS, initializer=_warm, context=context)


def _warm() -> None:
    """Import what reading needs before the first time limit runs, and resize with one thread in each process."""
    import torch

    import longpanda.video.opened  # noqa: F401

    torch.set_num_threads(1)
