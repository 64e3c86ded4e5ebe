"""Decode the pictures of a keyframe group (GOP): only the requested ones, or all of them to inspect it."""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from longpanda.video.display_order import LOST, DisplayOrder
from longpanda.video.packets import CORRUPT, EMPTY, HIDDEN, KEY, PacketReader

_DROPPABLE = ("h264", "hevc", "mpeg2video", "mpeg1video")
"""Codecs that mark pictures to which no other refers, with decoders that can skip those."""
_HEVC_VPS = b"\x40\x01"


class SurpriseError(Exception):
    """Decoding gave something else than the packets promise; never leaves this package."""


@dataclass(frozen=True)
class Inspected:
    """The result of decoding all packets of a group.

    Args:
        begin: the packet at which decoding starts: that of an earlier group if the group's own is no keyframe.
        shown: packets of the group whose pictures were decoded, in the decoder's order.
        failed: packets of the group that did not decode, or whose picture is corrupt, whether marked so or not.
    """

    begin: int
    shown: tuple[int, ...]
    failed: frozenset[int]


class GopDecoder:
    """Decodes keyframe groups of an open file, each by itself.

    A group is always decoded from its keyframe with a flushed decoder, so that a picture is the same to the bit in
    every context. A damaged group gets a new decoder: in place of what it cannot read, a decoder that was only flushed
    shows what it decoded long before.
    """

    def __init__(self, packets: PacketReader, timeline: DisplayOrder) -> None:
        self._packets, self._timeline, self._marks = packets, timeline, timeline.table.marks
        self.path, self.codec_name = packets.source.path, packets.source.codec.name
        self._keys = np.flatnonzero(self._marks & KEY)
        self._is_strict, self._is_tainted = packets.source.hides_errors, False
        self.drops = "NONREF" if _can_drop(packets.source.codec) else "DEFAULT"

    def promised(self, start: int, numbers: Sequence[int]) -> Generator[Any]:
        """Decode the pictures of some packets of a group, while everything is as the packets promise.

        Decodes up to the last of them and skips pictures to which no other refers. Skipping changes another picture
        only at damage: a decoder fills missing blocks from the picture that it decoded last. So a picture is only
        yielded once all pictures decoded before it have come out whole, including those displayed after it.

        Args:
            start: the group's first packet.
            numbers: packets, in display order.

        Yields:
            a PyAV frame for each packet.

        Raises:
            SurpriseError: something else was decoded; the frames yielded before are right.
        """
        if self._is_tainted:
            self._packets.reopen(self._is_strict)
            self._is_tainted = False
        awaited_by, wanted, ahead = self._awaited_places(start, max(numbers)), frozenset(numbers), iter(numbers)
        expected, has_begun, waiting = next(ahead, None), self._begins_well(start), deque[tuple[int, Any]]()
        come = set[int]()
        for number, frame in self.decode(start, max(numbers), self.drops, wanted):
            has_begun = has_begun or (number == start and frame is not None and is_key(frame))
            if number not in awaited_by:
                continue
            if frame is None or frame.is_corrupt or not has_begun or (number in wanted and number != expected):
                raise self._surprise(f"packet {number} instead of {expected}")
            if number == expected:
                waiting.append((awaited_by[number], frame))
                expected = next(ahead, None)
            if (place := self._timeline.place_of(number)) is not None:
                come.add(place)
                while waiting and waiting[0][0] <= place:
                    yield self._confirmed(*waiting.popleft(), come)
            if expected is None and not waiting:
                return
        if expected is not None:
            raise self._surprise(f"no picture {expected}")
        for awaited, frame in waiting:
            yield self._confirmed(awaited, frame, come)

    def _confirmed(self, awaited: int, frame: Any, come: set[int]) -> Any:
        """Return a frame if the picture at the awaited place has come out, which some decoders silently leave out.

        A picture that is skipped on purpose is hardly ever the last in display order.
        """
        if awaited not in come and awaited < len(self._timeline):
            raise self._surprise(f"no picture at place {awaited}")
        return frame

    def _surprise(self, what: str) -> SurpriseError:
        """The error to raise; the next group gets a new decoder, since damage may have changed this one's headers."""
        self._is_tainted = True
        return SurpriseError(what)

    def _awaited_places(self, start: int, last: int) -> dict[int, int]:
        """For a group's pictures, and later keyframes that they may refer to, the place of the timeline to wait for.

        Decoders return pictures in display order: once the one at that place comes, all decoded before it have come.
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
        """Decode the pictures of packets that `inspect` has found.

        Args:
            begin: see `Inspected`.
            numbers: some of the packets shown, in display order; a picture that comes early waits.
            is_damaged: take a new decoder, as `inspect` does.
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
        """Decode all of a group, starting with an earlier group if its first packet gives no keyframe.

        In that case the index is wrong or the keyframe is damaged, and pictures decoded from it would be wrong. Takes a
        new decoder, since what an old one makes of missing data depends on what it decoded before.
        """
        numbers, begin = self._timeline.numbers[self._timeline.places_from(start)], start
        members = set(numbers[numbers != LOST].tolist())
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
                failed |= self._hidden_errors(begin, members)
                return Inspected(begin, tuple(one for one in shown if one not in failed), frozenset(failed))
            begin = before

    def _hidden_errors(self, begin: int, members: set[int]) -> set[int]:
        """Packets whose pictures hold arbitrary memory, though the decoder returns them as if whole.

        These are the pictures that it could not read to their end, and all pictures of the group that are decoded after
        one of these to which others refer.
        """
        if not self._is_strict:
            return set()
        last = max(members, default=begin)
        spoilt = self._cut_off(begin, last, "DEFAULT")
        references = self._cut_off(begin, last, self.drops) if spoilt else set()
        return {one for one in members if one in spoilt or one > min(references, default=last)}

    def _cut_off(self, begin: int, last: int, skip: str) -> set[int]:
        """Packets that give a picture and then an error.

        Without a picture, the error is in another part of the packet, which a decoder can skip.
        """
        self._packets.reopen(is_strict=True)
        in_error, given = set[int](), set[int]()
        for number, frame in self.decode(begin, last, skip):
            (in_error if frame is None else given).add(number)
        return in_error & given

    def renew(self) -> None:
        """Take a new decoder, which returns what it can read of every picture."""
        self._packets.reopen(is_strict=False)
        self._is_tainted = True

    def be_lenient(self) -> bool:
        """Ignore errors that the codec hides, for files that are merely odd. Returns whether this changes anything."""
        changes, self._is_strict = self._is_strict, False
        if changes:
            self.renew()
            self._is_tainted = False
        return changes

    def _begins_well(self, begin: int) -> bool:
        """Whether a start need not give a keyframe: at the file's first packet, and where the picture is hidden."""
        return begin == 0 or bool(self._marks[begin] & HIDDEN)

    def decode(
        self, begin: int, last: int, skip: str = "DEFAULT", kept: frozenset[int] = frozenset()
    ) -> Generator[tuple[int, Any | None]]:
        """Decode packets `begin` to `last`, inclusive, with a flushed decoder.

        Args:
            begin: the first packet.
            last: the last packet.
            skip: FFmpeg's `skip_frame`, for packets that are not in `kept`.
            kept: packets that are never skipped.

        Yields:
            a packet's number with its frame, or with None if it does not decode; `LOST` is the number if the decoder
            does not tell it. Frames that an edit list hides are left out.
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
                # A list, because PyAV identifies an opaque object by its address, which equal small numbers share.
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
                with suppress(av.error.FFmpegError):
                    yield from self._shown(codec.decode(None))
        finally:
            if codec is not None:
                codec.skip_frame = "DEFAULT"
                codec.flush_buffers()

    def _header_of(self, begin: int) -> Any | None:
        """The codec headers of a packet, if they change in the file, since the decoder may have others."""
        before = [header for number, header in self._timeline.table.headers if number <= begin]
        if self._timeline.table.headers and not before:
            self._packets.reopen()  # back to the headers at the start
        return before[-1] if before else None

    def _shown(self, frames: list[Any]) -> Iterator[tuple[int, Any]]:
        for frame in frames:
            opaque = frame.opaque
            number = LOST if opaque is None else opaque[0]
            if number == LOST or not self._marks[number] & HIDDEN:
                yield number, frame


def is_key(frame: Any) -> bool:
    """Whether decoding can start at this frame, by the decoder and not only by the container."""
    from av.video.frame import PictureType

    return bool(frame.key_frame) or frame.pict_type == PictureType.I


def _can_drop(codec: Any) -> bool:
    """Whether the decoder's skipping of non-reference pictures is safe.

    HEVC's sub-layer non-reference pictures may be referred to from a higher sub-layer, so there must be only one.
    """
    name = codec.codec.canonical_name
    if name != "hevc":
        return name in _DROPPABLE
    header = codec.extradata or b""
    at = header.find(_HEVC_VPS)
    return 0 <= at < len(header) - 3 and (header[at + 3] >> 1) & 7 == 0
