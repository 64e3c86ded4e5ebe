"""How much of a mixture can be used: records, hours and reasons, by source."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from longpanda.data.manifest import Manifest
from longpanda.data.media_facts import MediaError
from longpanda.data.mixture import Mixture, Source
from longpanda.data.policy import reason_of
from longpanda.data.record_index import RecordIndex
from longpanda.data.scan import KINDS
from longpanda.data.schema import RecordError
from longpanda.data.selection import selected

SHORT_SECONDS: Final = 1.0
SHORT_SHARE: Final = 0.02
"""A video is reported as shorter than its header or its annotation says if both are exceeded."""
_COUNTED_AT_ONCE: Final = 1024


@dataclass(frozen=True)
class Unusable:
    """A record that cannot be used.

    Args:
        source: `Source.name`.
        annotations: the annotation file.
        record: its number in that file, from 1.
        reason: in words: the name of a `Fault`, or a `MediaFault`.
        message: record and file, what was found and expected, and what can be done.
    """

    source: str
    annotations: str
    record: int
    reason: str
    message: str

    def as_line(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self)) + "\n"


@dataclass
class SourceInventory:
    """What a source has, counted once for each record that its strategy selects.

    Args:
        source: which.
        records: how many are selected.
        usable: those of them that can be used, by kind: "text", "image" or "video".
        video_seconds: length of all videos, or annotated parts, of usable records.
        unusable: how many cannot be used, by reason.
        first: the first of each reason.
        cut: usable records with a video that is shorter than its header says.
        short: usable records with a video that is shorter than the record says.
    """

    source: Source
    records: int
    usable: Counter[str] = field(default_factory=Counter)
    video_seconds: float = 0.0
    unusable: Counter[str] = field(default_factory=Counter)
    first: dict[str, Unusable] = field(default_factory=dict)
    cut: int = 0
    short: int = 0

    @property
    def usable_records(self) -> int:
        """Of all kinds."""
        return sum(self.usable.values())

    @property
    def share(self) -> float:
        """Usable records of those selected, 0 to 1."""
        return self.usable_records / self.records if self.records else 0.0

    @property
    def shown(self) -> int:
        """Records that an epoch shows."""
        return round(self.source.repeat * self.records)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "source": self.source.name,
            "stands_for": self.source.stands_for,
            "licence": self.source.licence,
            "records": self.records,
            "shown": self.shown,
            "usable": {kind: self.usable[kind] for kind in KINDS},
            "share": self.share,
            "video_seconds": self.video_seconds,
            "unusable": dict(self.unusable),
            "cut": self.cut,
            "short": self.short,
        }


def take_inventory(
    mixture: Mixture,
    indexes: Sequence[RecordIndex],
    manifest: Manifest,
    progress: Callable[[int], None] | None = None,
    tell: Callable[[Unusable], object] | None = None,
) -> list[SourceInventory]:
    """Count what can be used of each source.

    Args:
        mixture: its sources.
        indexes: of their annotation files, in order.
        manifest: of their media.
        progress: told of records that have been counted.
        tell: told of every record that cannot be used.

    Raises:
        ConfigError: a media file is not in the manifest.
    """
    counted = []
    for source, index in zip(mixture.sources, indexes, strict=True):
        numbers = selected(source.strategy, len(index))
        found = SourceInventory(source, len(numbers))
        for number in numbers:
            _count(found, index, number, manifest, tell)
            if progress is not None and (number + 1 - numbers.start) % _COUNTED_AT_ONCE == 0:
                progress(_COUNTED_AT_ONCE)
        if progress is not None:
            progress(len(numbers) % _COUNTED_AT_ONCE)
        counted.append(found)
    return counted


def _count(
    found: SourceInventory,
    index: RecordIndex,
    number: int,
    manifest: Manifest,
    tell: Callable[[Unusable], object] | None,
) -> None:
    source = found.source
    try:
        record = index.read(number)
        files = [manifest.facts(media, source) for media in record.media]
        parts = [facts.part(media) for facts, media in zip(files, record.media, strict=True)]
    except (RecordError, MediaError) as error:
        reason = reason_of(error)
        message = str(error) if isinstance(error, RecordError) else f"record {number + 1} of '{index.path}': {error}"
        named = Unusable(source.name, str(index.path), number + 1, reason, message)
        found.unusable[reason] += 1
        found.first.setdefault(reason, named)
        if tell is not None:
            tell(named)
        return
    found.usable[record.kind] += 1
    found.video_seconds += sum(part.duration_seconds for part in parts)
    stated = [media.stated_seconds or 0.0 for media in record.media]
    found.cut += any(_is_short(facts.duration_seconds, facts.promised_seconds) for facts in files)
    found.short += any(_is_short(facts.duration_seconds, one) for facts, one in zip(files, stated, strict=True))


def _is_short(seconds: float, promised_seconds: float) -> bool:
    return promised_seconds - seconds > max(SHORT_SECONDS, SHORT_SHARE * promised_seconds)


def rows_of(inventory: Sequence[SourceInventory], mixture: Mixture) -> Iterator[tuple[str, ...]]:
    """The inventory as a table: a head, a row for each source, those left out, and all together."""
    yield "source", "records", "usable", "share", "images", "videos", "text", "hours", "cut", "short"
    for one in inventory:
        name = f"{one.source.name} (for {one.source.stands_for})" if one.source.stands_for else one.source.name
        yield _row(name, [one])
    yield from ((one.name, "left out", *("",) * 8) for one in mixture.left_out)
    yield _row("all", inventory)


def _row(name: str, sources: Sequence[SourceInventory]) -> tuple[str, ...]:
    records, usable = (sum(getattr(one, key) for one in sources) for key in ("records", "usable_records"))
    kinds = [sum(one.usable[kind] for one in sources) for kind in ("image", "video", "text")]
    hours = sum(one.video_seconds for one in sources) / 3600
    doubtful = [sum(getattr(one, key) for one in sources) for key in ("cut", "short")]
    share = f"{usable / records:.1%}" if records else "-"
    counts = (f"{count:,}" for count in kinds)
    return (
        name,
        f"{records:,}",
        f"{usable:,}",
        share,
        *counts,
        f"{hours:,.2f}" if hours >= 1 else f"{hours:.2g}",
        *(f"{count:,}" for count in doubtful),
    )
