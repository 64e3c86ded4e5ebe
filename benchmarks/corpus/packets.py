"""Edit packets: copy them into another container with other times or in another order, or drop them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import av

from benchmarks.corpus.film import Film, write

_H264_KEYFRAME = b"\x00\x00\x01\x65"
Change = Callable[[list[Any]], list[Any]]
"""Maps the packets of a file, all in one time base, to those to be written."""


def remuxed(*changes: Change, format: str | None = None, mux: Mapping[str, str] | None = None) -> Callable[..., object]:
    """Return a step that changes packets and copies them into a new container."""
    return partial(_remux, changes=changes, format=format, mux=dict(mux or {}))


def _remux(source: Path, target: Path, changes: tuple[Change, ...], format: str | None, mux: dict[str, str]) -> None:
    with av.open(str(source)) as read, av.open(str(target), "w", format=format, options=mux) as written:
        stream = read.streams.video[0]
        copy = written.add_stream_from_template(stream)
        packets = [packet for packet in read.demux(stream) if packet.size]
        for change in changes:
            packets = change(packets)
        for packet in packets:
            packet.stream = copy
            written.mux(packet)


def appended(film: Film) -> Change:
    """Append the packets of a second film, continuing the clock."""
    return partial(_append, film=film)


def _append(packets: list[Any], film: Film) -> list[Any]:
    path = write(film, Path(packets[0].stream.container.name + ".more.mkv"))
    with av.open(str(path)) as read:
        more = [packet for packet in read.demux(read.streams.video[0]) if packet.size]
    path.unlink()
    scale = more[0].time_base / packets[0].time_base
    shift = max(one.pts + one.duration for one in packets)
    for packet in more:
        packet.pts, packet.dts = round(packet.pts * scale) + shift, round(packet.dts * scale) + shift
        packet.duration, packet.time_base = round(packet.duration * scale), packets[0].time_base
    return packets + more


def later(seconds: float, of: range | None = None) -> Change:
    """Move both times of all packets, or of those at some positions, by some seconds."""
    return partial(_move, seconds=seconds, of=of, which=("pts", "dts"))


def shown_later(seconds: float, of: range) -> Change:
    """Move only the presentation times of packets."""
    return partial(_move, seconds=seconds, of=of, which=("pts",))


def _move(packets: list[Any], seconds: float, of: range | None, which: tuple[str, ...]) -> list[Any]:
    for place, packet in enumerate(packets):
        if of is None or place in of:
            for name in which:
                setattr(packet, name, getattr(packet, name) + round(seconds / packet.time_base))
    return packets


def shown_with(place: int, other: int) -> Change:
    """Give a packet the presentation time of another."""
    return partial(_show_with, place=place, other=other)


def _show_with(packets: list[Any], place: int, other: int) -> list[Any]:
    packets[place].pts = packets[other].pts
    return packets


def swapped(place: int) -> Change:
    """Swap the times of two consecutive packets."""
    return partial(_swap, place=place)


def _swap(packets: list[Any], place: int) -> list[Any]:
    one, other = packets[place], packets[place + 1]
    one.pts, other.pts = other.pts, one.pts
    return packets


def lasting(seconds: float, of: range) -> Change:
    """Set the duration of packets."""
    return partial(_last, seconds=seconds, of=of)


def _last(packets: list[Any], seconds: float, of: range) -> list[Any]:
    for place in of:
        packets[place].duration = round(seconds / packets[place].time_base)
    return packets


def glued(places: Sequence[int]) -> Change:
    """Merge packets with the ones after them."""
    return partial(_glue, places=places)


def _glue(packets: list[Any], places: Sequence[int]) -> list[Any]:
    changed = []
    for place, packet in enumerate(packets):
        if place in places:
            changed.append(_like(packet, bytes(packet) + bytes(packets[place + 1])))
        elif place - 1 not in places:
            changed.append(packet)
    return changed


def _like(packet: Any, content: bytes) -> Any:
    """Return a packet with other bytes and the same times."""
    other = av.Packet(content)
    other.pts, other.dts, other.duration = packet.pts, packet.dts, packet.duration
    other.time_base, other.is_keyframe = packet.time_base, packet.is_keyframe
    return other


def split_parameters() -> Change:
    """Split what precedes the picture of an H.264 keyframe into a packet of its own with the same time."""
    return _split_parameters


def _split_parameters(packets: list[Any]) -> list[Any]:
    changed = []
    for packet in packets:
        content = bytes(packet)
        at = content.find(_H264_KEYFRAME) if packet.is_keyframe else -1
        if at > 0:
            changed += [_like(packet, content[:at]), _like(packet, content[at:])]
        else:
            changed.append(packet)
    return changed


def shown_in_order() -> Change:
    """Set presentation times to decoding times, as in containers with only one time."""
    return _show_in_order


def _show_in_order(packets: list[Any]) -> list[Any]:
    for packet in packets:
        packet.pts = packet.dts
    return packets


def without(of: range) -> Change:
    """Drop packets, by their positions in the file."""
    return partial(_drop, of=of)


def _drop(packets: list[Any], of: range) -> list[Any]:
    return [packet for place, packet in enumerate(packets) if place not in of]


def without_keyframe(number: int) -> Change:
    """Drop the `number`-th keyframe."""
    return partial(_drop_keyframe, number=number)


def _drop_keyframe(packets: list[Any], number: int) -> list[Any]:
    lost = [packet for packet in packets if packet.is_keyframe][number]
    return [packet for packet in packets if packet is not lost]


def without_before(number: int) -> Change:
    """Drop everything before the `number`-th keyframe, in the order of decoding."""
    return partial(_begin, number=number)


def _begin(packets: list[Any], number: int) -> list[Any]:
    places = [place for place, packet in enumerate(packets) if packet.is_keyframe]
    return packets[places[number] :]


def unmarked(of: range) -> Change:
    """Clear the keyframe flag of packets."""
    return partial(_mark, of=of, is_keyframe=False)


def marked(of: range) -> Change:
    """Set the keyframe flag of packets."""
    return partial(_mark, of=of, is_keyframe=True)


def _mark(packets: list[Any], of: range, is_keyframe: bool) -> list[Any]:
    for place in of:
        if place < len(packets):
            packets[place].is_keyframe = is_keyframe
    return packets
