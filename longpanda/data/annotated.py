"""Annotated images and videos as the data of a training stage: `data: {kind: annotations, mixture: FILE, ...}`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longpanda.data.frame_choice import FrameChoice, time_message
from longpanda.data.policy import BadData
from longpanda.errors import ConfigError

if TYPE_CHECKING:
    from longpanda.data.loader import LoaderState, PackedData, PackLoader, Share
    from longpanda.data.mixture_records import MixtureRecords
    from longpanda.processing import LongPandaProcessor
    from longpanda.types import Pack


@dataclass(frozen=True)
class AnnotationData:
    """Conversations about images and videos, from the annotation files of a mixture (docs/data.md).

    Args:
        mixture: the mixture's yaml.
        annotations: folder in which annotation files are looked up; "" for the folder of the yaml.
        roots: folders of media, by the `json_path`, file name or `data_root` of an entry.
        substitute: entries that are used in place of others.
        missing: "fail" or "leave out": what becomes of entries whose files are not there.
        manifest: the folder that `longpanda data prepare` wrote; "" opens each media file once at the start.
        frames: which frames of a video are shown.
        time_message: "short" or "times" tells the length and the number of frames of each video, in the words of
            VideoChat-Flash; "" tells nothing, as written times say when frames are shown.
        pack_tokens: most tokens of a row, which holds as many conversations as fit; 0 makes a row of each.
        bad: what becomes of records that cannot be used.
        seed: of the order of records.
        cache: folder of indexes and token counts; "" for the default.
        workers: processes that read media ahead; 0 reads in the training process, without a time limit.
        packs_ahead: rows that are read ahead.
        limit_seconds: longest time to read one image or video.
        kind: the name in a recipe.

    Raises:
        ConfigError: an unknown style of time messages, or a number that cannot be.
    """

    mixture: str
    annotations: str = ""
    roots: dict[str, Any] = field(default_factory=dict)
    substitute: dict[str, Any] = field(default_factory=dict)
    missing: str = "fail"
    manifest: str = ""
    frames: FrameChoice = field(default_factory=FrameChoice)
    time_message: str = ""
    pack_tokens: int = 0
    bad: BadData = field(default_factory=BadData)
    seed: int = 0
    cache: str = ""
    workers: int = 2
    packs_ahead: int = 4
    limit_seconds: float = 120.0
    kind: str = field(default="annotations", init=False)

    def __post_init__(self) -> None:
        time_message(self.time_message, 0.0, ())
        for name, least in (("pack_tokens", 0), ("workers", 0), ("packs_ahead", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} = {getattr(self, name)}", f"at least {least}", f"correct {name}")
        if not self.limit_seconds > 0:
            raise ConfigError(f"limit_seconds = {self.limit_seconds:g}", "above 0", "correct limit_seconds")

    @property
    def asks(self) -> bool:
        """Whether there are questions: always."""
        return True

    @property
    def label_classes(self) -> Mapping[str, int]:
        """Empty: nothing is known of the regions of a frame."""
        return {}

    @property
    def label_grid(self) -> tuple[int, int]:
        """(1, 1), as there are no labels."""
        return 1, 1

    def vocabulary(self) -> Iterable[str]:
        """Yield the text of all turns of all records that can be used."""
        from longpanda.data.schema import RecordError

        records = self.records
        for source, count in enumerate(records.counts):
            for number in range(count):
                try:
                    yield from (turn.text for turn in records.read(source, number).turns)
                except RecordError:  # which the policy counts when lengths are measured
                    continue

    @cached_property
    def records(self) -> "MixtureRecords":
        """The records of the mixture. Raises ConfigError for a mixture or annotation files that cannot be read."""
        from longpanda.data.mixture import Places, read_mixture
        from longpanda.data.mixture_records import open_records

        folder = Path(self.annotations) if self.annotations else None
        places = Places(folder, self.roots, self.substitute, self.missing)
        return open_records(read_mixture(Path(self.mixture), places), self._cache)

    def source(self, count: int, number: int, size_px: int, processor: "LongPandaProcessor") -> "AnnotatedPacks":  # noqa: ARG002
        """Make the packs of a stage.

        Args:
            count: rows that the stage shows.
            number: of the stage, from 0; stages show the records in different orders.
            size_px: not used: the processor says to which size each file is read.
            processor: of the model.

        Raises:
            ConfigError: files that are missing or damaged.
            BadDataError: more records that cannot be used than `bad` allows.
        """
        from longpanda.data.conversations import ConversationRules, probed
        from longpanda.data.lengths import measure_lengths
        from longpanda.data.loader import PackedData
        from longpanda.data.manifest import Manifest
        from longpanda.data.packing import PackOrder

        records, rules = self.records, ConversationRules(self.frames, self.time_message, self.pack_tokens)
        manifest = Manifest.open(Path(self.manifest)) if self.manifest else None
        facts = probed if manifest is None else manifest.facts
        identity = "" if manifest is None else manifest.sha256
        lengths = measure_lengths(records, processor, rules, facts, self._cache / "lengths", facts_identity=identity)
        lengths.check(records, self.bad)
        packs = PackOrder(records.order(self.seed + number), lengths, self.pack_tokens)
        return AnnotatedPacks(self, PackedData(records, lengths, packs, processor, rules, facts), count)

    @property
    def _cache(self) -> Path:
        from longpanda.data.record_index import default_cache

        return Path(self.cache) if self.cache else default_cache()


@dataclass(frozen=True)
class AnnotatedPacks:
    """The rows of a stage: packs of conversations, read ahead by a loader.

    Args:
        data: as the recipe has it.
        packed: the packs.
        count: rows that the stage shows.
    """

    data: AnnotationData
    packed: "PackedData"
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> "Pack":
        """Read one pack. Raises IndexError beyond the last."""
        if not 0 <= index < self.count:
            raise IndexError(f"row {index} of {self.count}")
        with self.loader(self._place(index), workers=min(1, self.data.workers)) as loader:
            return next(loader).conversations

    @property
    def identity(self) -> dict[str, str]:
        """Hashes of the mixture with its annotation files, and of all that the order of packs depends on."""
        records = self.packed.records
        known = [index.sha256 for index in records.indexes]
        return {"mixture": records.mixture.sha256(known), "fingerprint": self.packed.fingerprint}

    def loader(
        self, place: "LoaderState | None" = None, share: "Share | None" = None, workers: int | None = None
    ) -> "PackLoader":
        """Start to read packs.

        Args:
            place: where to begin; None for the first pack.
            share: which packs this process reads; None for all.
            workers: processes that read media; None as the recipe has it.
        """
        from longpanda.data.loader import LoaderSettings, PackLoader

        many = self.data.workers if workers is None else workers
        settings = LoaderSettings(many, self.data.packs_ahead, self.data.limit_seconds)
        return PackLoader(self.packed, settings, self.data.bad, place, share)

    def _place(self, pack: int) -> "LoaderState":
        from longpanda.data.loader import LoaderState

        where = self.packed.packs.state(pack)
        return LoaderState(pack, where.window, where.first_pack, self.packed.fingerprint)
