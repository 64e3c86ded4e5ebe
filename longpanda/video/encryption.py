"""Whether a file's pictures are encrypted, by what its container says."""

from longpanda.video.packets import PacketTable
from longpanda.video.source import Source

_KEY_TAG = "enc_key_id"
"""How FFmpeg names the key that Matroska's ContentEncryption asks for, in the metadata of the stream."""
_HEAD_BYTES = 1 << 18
_PACKET_BYTES, _SYNC, _SYNCS = (188, 192, 204), b"\x47", 8
"""Of MPEG-TS: on air, on Blu-ray discs and from cameras, and with error correction."""


def is_encrypted(source: Source, table: PacketTable, has_pictures: bool) -> bool:
    """Are a file's pictures encrypted?

    MP4 says so of packets (also where a recording begins in the clear), Matroska of the track. Of MPEG-TS, FFmpeg
    leaves out scrambled packets without a word: their headers are read where no picture is left.

    Args:
        source: an open file.
        table: its packets.
        has_pictures: is there a packet with a picture to show?
    """
    if table.is_encrypted or _KEY_TAG in source.stream.metadata:
        return True
    return not has_pictures and source.container.format.name == "mpegts" and _is_scrambled(source)


def _is_scrambled(source: Source) -> bool:
    """Do packets of the stream say so in their transport_scrambling_control (ISO/IEC 13818-1, 2.4.3.3)?"""
    with open(source.path, "rb") as file:
        head = file.read(_HEAD_BYTES)
    places = ((size, start) for size in _PACKET_BYTES for start in range(size))
    for size, start in places:
        if head[start::size][:_SYNCS] == _SYNC * _SYNCS:
            headers = [head[at : at + 4] for at in range(start, len(head) - 3, size)]
            own = [one for one in headers if int.from_bytes(one[1:3], "big") & 0x1FFF == source.stream.id]
            return any(one[:1] == _SYNC and one[3] >> 6 for one in own)
    return False
