"""Decodes the pictures of one keyframe group: the wanted ones alone, or all of them to see what they are."""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from longpanda.video.packets import CORRUPT, EMPTY, HIDDEN, KEY, PacketReader
from longpanda.video.timeline import LOST, Timeline

_DROPPABLE = ("h264", "hevc", "mpeg2video", "mpeg1video")
"""Codecs whose pictures say that none refers to them, with decoders that pass over such pictures when told so."""
_HEVC_VPS = b"\x40\x01"


class SurpriseError(Exception):
    """Decoding gives something else than the packets promise; never leaves this package."""


@dataclass(frozen=True)
class Inspected:
    """What decoding all packets of a group gives.

    Args:
        begin: the packet with which decoding begins: that of an earlier group where the group's own is no keyframe.
        shown: packets of the group whose pictures come out, in the decoder's order.
        failed: packets of the group that do not decode, or whose picture is marked corrupt, or would have to be.
    """

    begin: int
    shown: tuple[int, ...]
    failed: frozenset[int]


class GopDecoder:
    """Decodes keyframe groups of an open file, each by itself.

    Every group is decoded from its keyframe with an empty decoder, however it was reached: so a picture is the same
    bit by bit, whoever asks for it and after what. Damaged ones are decoded by a new decoder: in the place of what it
    cannot read, one that is merely emptied leaves what it decoded long before.

    Args:
        packets: the packets of the file.
        timeline: its pictures.
    """

    def __init__(self, packets: PacketReader, timeline: Timeline) -> None:
        self._packets, self._timeline, self._marks = packets, timeline, timeline.table.marks
        self.path, self.codec_name = packets.source.path, packets.source.codec.name
        self._keys = np.flatnonzero(self._marks & KEY)
        self._is_strict, self._is_tainted = packets.source.hides_errors, False
        self.drops = "NONREF" if _can_drop(packets.source.codec) else "DEFAULT"

    def promised(self, start: int, numbers: Sequence[int]) -> Generator[Any]:
        """The pictures of some packets of a group, if all is as the packets promise.

        Decodes up to the last of them, and drops those that no other refers to before they are decoded, which changes
        no other one. Only where something is damaged it does: what a decoder puts in the place of missing blocks is of
        the picture that it decoded last. So a picture is given out when all that were decoded before it have come out
        whole, those that are shown after it, too.

        Args:
            start: the group's first packet.
            numbers: packets, in order of display.

        Yields:
            PyAV frames, one for each packet.

        Raises:
            SurpriseError: something else came; what was given out before is right.
        """
        if self._is_tainted:
            self._packets.reopen(self._is_strict)
            self._is_tainted = False
        sure_from, wanted, ahead = self._sure_from(start, max(numbers)), frozenset(numbers), iter(numbers)
        expected, has_begun, waiting = next(ahead, None), self._begins_well(start), deque[tuple[int, Any]]()
        come = set[int]()
        for number, frame in self.decode(start, max(numbers), self.drops, wanted):
            has_begun = has_begun or (number == start and frame is not None and is_key(frame))
            if number not in sure_from:
                continue
            if frame is None or frame.is_corrupt or not has_begun or (number in wanted and number != expected):
                raise self._surprise(f"packet {number} instead of {expected}")
            if number == expected:
                waiting.append((sure_from[number], frame))
                expected = next(ahead, None)
            if (place := self._timeline.place_of(number)) is not None:
                come.add(place)
                while waiting and waiting[0][0] <= place:
                    yield self._sure(*waiting.popleft(), come)
            if expected is None and not waiting:
                return
        if expected is not None:
            raise self._surprise(f"no picture {expected}")
        for awaited, frame in waiting:
            yield self._sure(awaited, frame, come)

    def _sure(self, awaited: int, frame: Any, come: set[int]) -> Any:
        """A picture behind which what it may refer to has come out, too; some decoders leave that out without a word.

        What is left out on purpose, as none refers to it, is hardly ever the last in order of display.
        """
        if awaited not in come and awaited < len(self._timeline):
            raise self._surprise(f"no picture at place {awaited}")
        return frame

    def _surprise(self, what: str) -> SurpriseError:
        """The error, after which the next group gets a new decoder: damage may have changed the headers of this one."""
        self._is_tainted = True
        return SurpriseError(what)

    def _sure_from(self, start: int, last: int) -> dict[int, int]:
        """For a group's pictures, and later keyframes that they may refer to, which place of the time line to wait for.

        Decoders give pictures out in order of display: when one at that place comes, all that were decoded before have.
        """
        places = self._timeline.places_from(start)
        numbers = self._timeline.numbers[places]
        is_decoded = (numbers != LOST) & (numbers <= last)
        place_of = dict(zip(numbers[is_decoded].tolist(), places[is_decoded].tolist(), strict=True))
        for key in self._keys[slice(*np.searchsorted(self._keys, [start + 1, last + 1]))].tolist():
            place = self._timeline.place_of(key)
            place_of[key] = len(self._timeline) if place is None else place
        order = sorted(place_of)
        return dict(zip(order, accumulate((place_of[number] for number in order), max), strict=True))

    def inspected(self, begin: int, numbers: Sequence[int], is_damaged: bool) -> Generator[Any]:
        """The pictures of packets that `inspect` has seen.

        Args:
            begin: as it says.
            numbers: some of the packets shown, in order of display; a picture that comes early waits.
            is_damaged: take a new decoder, as `inspect`.
        """
        if is_damaged or self._packets.source.hides_errors:
            self.renew()
        wanted, early = frozenset(numbers), dict[int, Any]()
        ahead = iter(numbers)
        expected = next(ahead, None)
        for number, frame in self.decode(begin, max(numbers)):
            if frame is not None and number in wanted:
                early[number] = frame
            while expected in early:
                yield early.pop(expected)
                if (expected := next(ahead, None)) is None:
                    return

    def inspect(self, start: int) -> Inspected:
        """Decode all of a group; from an earlier group on where its first packet gives no keyframe.

        There, the index lies or the keyframe is damaged, and what is decoded from it on is not what was encoded.
        Takes a new decoder: what an old one makes of missing data depends on what it decoded before.
        """
        members, begin = self._members(start), start
        while True:
            self.renew()
            shown, failed, is_sound = [], set(), self._begins_well(begin)
            for number, frame in self.decode(begin, max(members, default=start)):
                is_sound = is_sound or (number == begin and frame is not None and is_key(frame))
                if number not in members:
                    continue
                if frame is None or frame.is_corrupt:
                    failed.add(number)
                else:
                    shown.append(number)
            before = self._timeline.start_before(begin)
            if is_sound or before is None:
                failed |= self._unsaid(begin, members)
                return Inspected(begin, tuple(one for one in shown if one not in failed), frozenset(failed))
            begin = before

    def _unsaid(self, begin: int, members: set[int]) -> set[int]:
        """Packets whose pictures hold what happened to lie in memory, where the decoder gives them out as if whole.

        These are pictures that it could not read to their end, and all of the group that are decoded after one of them
        to which others refer.
        """
        if not self._is_strict:
            return set()
        last = max(members, default=begin)
        spoilt = self._cut_off(begin, last, "DEFAULT")
        references = self._cut_off(begin, last, self.drops) if spoilt else set()
        return {one for one in members if one in spoilt or one > min(references, default=last)}

    def _cut_off(self, begin: int, last: int, skip: str) -> set[int]:
        """Packets whose pictures begin, and have an error further on.

        Where there is none of the picture, something else in the packet is in error, which a decoder can pass over.
        """
        self._packets.reopen(is_strict=True)
        in_error, given = set[int](), set[int]()
        for number, frame in self.decode(begin, last, skip):
            (in_error if frame is None else given).add(number)
        return in_error & given

    def renew(self) -> None:
        """Take a new decoder, which gives what it can of every picture."""
        self._packets.reopen(is_strict=False)
        self._is_tainted = True

    def be_lenient(self) -> bool:
        """Do without errors that the codec hides, where files that are merely odd would be full of them.

        Returns:
            whether that changes anything.
        """
        changes, self._is_strict = self._is_strict, False
        if changes:
            self.renew()
            self._is_tainted = False
        return changes

    def _members(self, start: int) -> set[int]:
        """Packets of the pictures that are decoded from `start` on."""
        numbers = self._timeline.numbers[self._timeline.places_from(start)]
        return set(numbers[numbers != LOST].tolist())

    def _begins_well(self, begin: int) -> bool:
        """Can it not be seen from its picture whether a packet is a keyframe? The first one of the file need not be."""
        return begin == 0 or bool(self._marks[begin] & HIDDEN)

    def decode(
        self, begin: int, last: int, skip: str = "DEFAULT", kept: frozenset[int] = frozenset()
    ) -> Generator[tuple[int, Any | None]]:
        """Decode packets by themselves.

        Args:
            begin: the first.
            last: the last.
            skip: what the decoder may leave out, but for packets in `kept`.
            kept: see `skip`.

        Yields:
            the number of a packet with its frame, or with None where it does not decode. Frames that an edit list hides
            are left out; those of a decoder that does not say which packet a frame is from have the number `LOST`.
        """
        import av

        codec: Any = None
        header = self._header_of(begin)
        try:
            for number, packet in self._packets.packets(begin, last):
                if header is not None:
                    header.to_packet(packet)
                    header = None
                codec = self._packets.source.codec
                if self._marks[number] & EMPTY:
                    continue
                # A list, because PyAV knows an opaque object by its address, which equal small numbers share.
                packet.opaque, packet.is_corrupt = [number], bool(self._marks[number] & CORRUPT)
                codec.skip_frame = "DEFAULT" if number in kept else skip
                try:
                    decoded = codec.decode(packet)
                except av.error.FFmpegError:
                    yield number, None
                    continue
                yield from self._shown(decoded)
            if codec is not None:
                codec.skip_frame = "DEFAULT"
                yield from self._shown(_drained(codec))
        finally:
            if codec is not None:
                codec.skip_frame = "DEFAULT"
                codec.flush_buffers()

    def _header_of(self, begin: int) -> Any | None:
        """The codec's headers that hold for a packet, where they change in the file: the decoder has others then."""
        before = [header for number, header in self._timeline.table.headers if number <= begin]
        if self._timeline.table.headers and not before:
            self._packets.reopen()  # to those at the start
        return before[-1] if before else None

    def _shown(self, frames: list[Any]) -> Iterator[tuple[int, Any]]:
        """Frames by their packets."""
        for frame in frames:
            opaque = frame.opaque
            number = LOST if opaque is None else opaque[0]
            if number == LOST or not self._marks[number] & HIDDEN:
                yield number, frame


def _drained(codec: Any) -> list[Any]:
    import av

    try:
        return list(codec.decode(None))
    except av.error.FFmpegError:
        return []


def is_key(frame: Any) -> bool:
    """Does the decoder, and not only the container, say that pictures from this one on can be decoded?"""
    from av.video.frame import PictureType

    return bool(frame.key_frame) or frame.pict_type == PictureType.I


def _can_drop(codec: Any) -> bool:
    """Is it safe to leave out what the decoder leaves out when told to pass over pictures that none refers to?

    HEVC's sub-layer non-reference pictures may be referred to from a higher sub-layer, so there must be one only.
    """
    name = codec.codec.canonical_name
    if name != "hevc":
        return name in _DROPPABLE
    header = codec.extradata or b""
    at = header.find(_HEVC_VPS)
    return 0 <= at < len(header) - 3 and (header[at + 3] >> 1) & 7 == 0
