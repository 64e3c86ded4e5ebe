"""Detect encrypted pictures, from what the container says."""

from longpanda.video.packets import PacketTable
from longpanda.video.source import Source

_KEY_TAG = "enc_key_id"
"""FFmpeg's name, in the metadata of the stream, for the key in Matroska's ContentEncryption."""
_HEAD_BYTES = 1 << 18
_PACKET_BYTES, _SYNC, _SYNCS = (188, 192, 204), b"\x47", 8
"""Packet sizes of MPEG-TS on air, on Blu-ray discs and from cameras, and with error correction; and its sync byte."""


def is_encrypted(source: Source, table: PacketTable, has_pictures: bool) -> bool:
    """Whether a file's pictures are encrypted.

    MP4 marks packets (a recording may begin in the clear), and Matroska the track. FFmpeg silently drops scrambled
    packets of MPEG-TS, so their headers are read if no packet has a picture to show (`has_pictures`).
    """
    if table.is_encrypted or _KEY_TAG in source.stream.metadata:
        return True
    return not has_pictures and source.container.format.name == "mpegts" and _is_scrambled(source)


def _is_scrambled(source: Source) -> bool:
    """Whether packets of the stream have a transport_scrambling_control (ISO/IEC 13818-1, 2.4.3.3)."""
    with open(source.path, "rb") as file:
        head = file.read(_HEAD_BYTES)
    places = ((size, start) for size in _PACKET_BYTES for start in range(size))
    for size, start in places:
        if head[start::size][:_SYNCS] == _SYNC * _SYNCS:
            headers = [head[at : at + 4] for at in range(start, len(head) - 3, size)]
            own = [one for one in headers if int.from_bytes(one[1:3], "big") & 0x1FFF == source.stream.id]
            return any(one[:1] == _SYNC and one[3] >> 6 for one in own)
    return False
