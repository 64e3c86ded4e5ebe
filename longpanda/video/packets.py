"""The pictures of one stream in display order, past every damaged packet, with a note of where the damage is."""

from collections.abc import Iterator
from typing import Any

from longpanda.video.source import Source

_DEMUX_ERRORS_IN_A_ROW = 64
_FIRST_STEP_BACK_SECONDS = 1.0


class PacketReader:
    """Reads packets, decodes them, and remembers what did not decode. Times are ticks of the stream's time base.

    `damaged_pts` is what was met since the last seek, `damaged_ever` since the file was opened.

    A picture that the container or the decoder marks corrupt is decoded, since others may refer to it, but not given
    out: its time is damaged. Pictures that the decoder patched up without saying so cannot be told from good ones.
    Packets an edit list hides are decoded and never given out (FFmpeg does that; hidden times are checked here too).

    Args:
        source: an open file.
    """

    def __init__(self, source: Source) -> None:
        self._container, self._stream = source.container, source.stream
        self.damaged_pts: list[int] = []
        self.damaged_ever: set[int] = set()
        self.demuxed_dts: int | None = None
        self.newest_key_pts: int | None = None
        self.reorder_ticks = 0
        self.last_duration_ticks = 0
        self._keyframe_pts: int | None = None
        self._hidden_pts: set[int] = set()

    def keyframe_between(self, ticks: int) -> bool | None:
        """Is there a keyframe between the packets read so far and `ticks`? None where no index reaches that far."""
        at = self._indexed_keyframe(ticks)
        return None if at is None or self.demuxed_dts is None else at > self.demuxed_dts

    def group_between(self, ticks: int) -> bool | None:
        """As `keyframe_between`, for a whole keyframe group before that of `ticks`."""
        at, entries = self._indexed_keyframe(ticks), self._stream.index_entries
        if at is None or self.demuxed_dts is None:
            return None
        number = entries.search_timestamp(self.demuxed_dts + 1, backward=False)
        return number >= 0 and bool(entries[number].timestamp < at)

    def keyframes_between(self, first_ticks: int, last_ticks: int, most: int) -> int:
        """How many keyframes the index has from one time to another, counted up to `most`; 0 where there is none."""
        entries, count, ticks = self._stream.index_entries, 0, first_ticks
        while count < most and (at := entries.search_timestamp(ticks, backward=False)) >= 0:
            if (found := entries[at].timestamp) > last_ticks:
                break
            count, ticks = count + 1, found + 1
        return count

    def _indexed_keyframe(self, ticks: int) -> int | None:
        """Where the index has the keyframe for `ticks`; None where it does not reach beyond what has been read."""
        entries, read_dts = self._stream.index_entries, self.demuxed_dts
        if len(entries) < 2 or read_dts is None or entries[len(entries) - 1].timestamp <= read_dts:
            return None
        number = entries.search_timestamp(ticks - self.reorder_ticks)
        return int(entries[number].timestamp) if number >= 0 else read_dts

    def seek(self, ticks: int) -> bool:
        """Go to the keyframe at or before `ticks`, as far as the container knows; False where it cannot."""
        import av

        try:
            self._container.seek(ticks, stream=self._stream)
        except av.error.FFmpegError:
            return False
        self.damaged_pts, self.demuxed_dts, self._keyframe_pts, self.newest_key_pts = [], None, None, None
        self._hidden_pts.clear()
        return True

    def landings(self, ticks: int, origin_pts: int) -> Iterator[bool]:
        """Seek for what is shown at `ticks`, then further back for as long as what is found begins too late.

        MPEG-TS lands late, and at its start even where nothing lies before.

        Args:
            ticks: the time wanted.
            origin_pts: where the stream starts.

        Yields:
            is this as far back as it goes? Nothing more where the container cannot seek.
        """
        step_ticks = int(_FIRST_STEP_BACK_SECONDS / self._stream.time_base)
        floor, back_ticks = origin_pts - self.reorder_ticks - step_ticks, 0
        while True:
            wanted = max(ticks - self.reorder_ticks - back_ticks, floor)
            if not self.seek(wanted) and not (wanted == floor and self.seek(origin_pts)):
                return
            yield wanted == floor
            if wanted == floor:
                return
            back_ticks = max(2 * back_ticks, step_ticks)

    def pictures(self) -> Iterator[Any]:
        """Decode from here to the end of the file.

        Yields:
            PyAV frames with a `pts`, in display order. Pictures from before the first keyframe are left out: after a
            seek they may refer to pictures that were never read.
        """
        last_pts: int | None = None
        for packet in self.packets():
            for frame in self._decode(packet):
                if not self._is_shown(frame) or (last_pts is not None and frame.pts <= last_pts):
                    continue
                last_pts = frame.pts
                self.last_duration_ticks = frame.duration or 0
                yield frame

    def packets(self) -> Iterator[Any]:
        """Demux from here to the end of the file; errors are noted and passed over.

        Yields:
            PyAV packets of the stream, at the end one that flushes the decoder.
        """
        import av

        errors_in_a_row = 0
        demuxer = self._container.demux(self._stream)
        while errors_in_a_row < _DEMUX_ERRORS_IN_A_ROW:
            try:
                packet = next(demuxer)
            except StopIteration:
                return
            except av.error.FFmpegError:
                errors_in_a_row += 1
                if self.demuxed_dts is not None and errors_in_a_row == 1:
                    self._note_damage(self.demuxed_dts + self.reorder_ticks + 1)
                demuxer = self._container.demux(self._stream)
                continue
            errors_in_a_row = 0
            self._note(packet)
            yield packet

    def _note(self, packet: Any) -> None:
        """Keep what a later seek needs to know."""
        if packet.dts is not None:
            self.demuxed_dts = max(packet.dts, self.demuxed_dts or packet.dts)
        if packet.pts is None:
            return
        if packet.is_discard:
            self._hidden_pts.add(packet.pts)
        if packet.is_keyframe:
            self.newest_key_pts = packet.pts
            if self._keyframe_pts is None:
                self._keyframe_pts = packet.pts
            if packet.dts is not None:
                self.reorder_ticks = max(self.reorder_ticks, packet.pts - packet.dts)

    def _note_damage(self, pts: int) -> None:
        self.damaged_pts.append(pts)
        self.damaged_ever.add(pts)

    def _decode(self, packet: Any) -> list[Any]:
        import av

        try:
            return list(packet.decode())
        except av.error.FFmpegError:
            if packet.pts is not None and not packet.is_discard:
                self._note_damage(packet.pts)
            return []

    def _is_shown(self, frame: Any) -> bool:
        if frame.pts is None or frame.pts in self._hidden_pts:
            self._hidden_pts.discard(frame.pts)
            return False
        if frame.is_corrupt:
            self._note_damage(frame.pts)
            return False
        return self._keyframe_pts is None or frame.pts >= self._keyframe_pts
