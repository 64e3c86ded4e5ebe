"""A `.vidx` folder: one model's visual tokens of one video, written block by block, each file whole or not at all.

    header.json             model, frames, preparation, storage: written first, never changed
    video.safetensors       when each picture of the file is shown, and which are keyframes
    block-000000.safetensors, ...   some 64 frames each: tokens, offsets of the groups, times, thumbnails
    state-000002.safetensors        after two blocks: the compressor's state, and the tokens of the frames after them

The state after a block is written before the block itself, so that work can resume after any block that exists,
whatever killed the writer. Every file carries the index's id and a checksum of its contents.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from longpanda.errors import IndexFileError
from longpanda.files import write_atomic

VERSION = 3
HEADER, PREFIX, VIDEO = "header.json", "prefix.safetensors", "video.safetensors"


@dataclass(frozen=True)
class Header:
    """The properties of an index that do not change while it grows.

    Args:
        version: version of this format.
        id: unique id of this index, repeated in each of its files.
        encoder: fingerprint of STAB and the compressor with their weights.
        model: the name under which the model was loaded.
        video: name of the file when it was first indexed.
        fps: encoded frames per second of video.
        height_px, width_px: displayed size of the video.
        frame_height_px, frame_width_px: size of the model's frames.
        grid_rows, grid_columns: grid of tokens that a frame's cells are pooled to.
        frames_per_group: frames that share their tokens.
        tokens_per_group: visual tokens of a group, at most.
        width: channels of a token.
        storage: number format of the stored tokens.
        longpanda: version of the package.
        dtype: number format in which STAB and the compressor computed the tokens.
        preprocessing: configuration of the frame processor.
    """

    version: int
    id: str
    encoder: str
    model: str
    video: str
    fps: float
    height_px: int
    width_px: int
    frame_height_px: int
    frame_width_px: int
    grid_rows: int
    grid_columns: int
    frames_per_group: int
    tokens_per_group: int
    width: int
    storage: str
    longpanda: str
    dtype: str
    preprocessing: Mapping[str, Any]

    @property
    def rate(self) -> tuple[tuple[int, int], int]:
        """(rows, columns) of a frame's tokens, and frames per group, as `TemporalConfig.rate`."""
        return (self.grid_rows, self.grid_columns), self.frames_per_group


@dataclass(frozen=True)
class Piece:
    """One file of an index: named tensors, and facts as JSON."""

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


class Store:
    """The files of an index: its folder and its header."""

    def __init__(self, folder: Path, header: Header) -> None:
        self.folder, self.header = folder, header

    @classmethod
    def create(cls, folder: Path, header: Header) -> "Store":
        """Create an index in an existing folder. Raises ConfigError if it cannot be written."""
        write_atomic(folder / HEADER, json.dumps(asdict(header), indent=2))
        return cls(folder, header)

    @staticmethod
    def is_begun(folder: Path) -> bool:
        """Whether a folder holds an index, complete or not."""
        return (folder / HEADER).is_file()

    @classmethod
    def open(cls, folder: Path) -> "Store":
        """Open an existing index.

        Raises:
            IndexFileError: there is none, or it has another version.
        """
        path, expected = folder / HEADER, "an index that `longpanda index` made"
        if not cls.is_begun(folder):
            found = f"'{folder}' is a directory without an index" if folder.is_dir() else f"no index '{folder}'"
            raise IndexFileError(found, expected, "check the path, or make it: longpanda index VIDEO")
        try:
            values = json.loads(path.read_text())
            version = values["version"]
            if version == VERSION:
                return cls(folder, Header(**values))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise IndexFileError(f"'{path}' cannot be read ({error})", expected, "make the index again") from error
        found = f"'{folder}' is an index of version {version}"
        raise IndexFileError(found, f"version {VERSION}, of this longpanda", "index the video again with this version")

    def clear(self) -> None:
        """Remove temporary files of a killed writer. Only the process that holds the folder may call this."""
        for kind in ("block-", "state-", HEADER, PREFIX, VIDEO):
            for left in self.folder.glob(f".{kind}*"):
                left.unlink()

    @property
    def blocks(self) -> int:
        """Number of blocks on disk. Raises IndexFileError if one of them is missing."""
        count = len(list(self.folder.glob("block-*.safetensors")))
        for number in range(count):
            if not self._block(number).exists():
                raise _damaged(self._block(number), "it is missing, but later ones exist")
        return count

    def commit(self, number: int, block: Piece, state: Piece) -> None:
        """Write block `number` and the state after it. Raises ConfigError if the disk is full or refuses."""
        self._write(self._state(number + 1), state)
        self._write(self._block(number), block)
        for earlier in set(self.folder.glob("state-*")) - {self._state(number + 1)}:
            earlier.unlink()

    def finish(self, state: Piece) -> None:
        """Replace the state after the last block; it holds the tokens of the remaining frames."""
        self._write(self._state(self.blocks), state)
        (self.folder / PREFIX).unlink(missing_ok=True)  # it belongs to other tokens

    def write_video(self, video: Piece) -> None:
        """Write the times of the file's pictures. Raises ConfigError as `commit`."""
        self._write(self.folder / VIDEO, video)

    def video(self) -> Piece:
        """Read the times of the file's pictures. Raises IndexFileError as `block`."""
        return self._read(self.folder / VIDEO)

    def block(self, number: int) -> Piece:
        """Read a block. Raises IndexFileError if it is damaged or another index's."""
        return self._read(self._block(number))

    def state(self, blocks: int) -> Piece | None:
        """Read the state after so many blocks; None if nothing was written yet.

        Raises:
            IndexFileError: as `block`, or the state is missing though the blocks exist.
        """
        path = self._state(blocks)
        if blocks and not path.exists() and self._state(blocks + 1).exists():
            raise _damaged(self._block(blocks), "it is missing, but the state after it exists")
        return self._read(path) if blocks or path.exists() else None

    def bytes(self) -> int:
        """Size of the index on disk, without a kept KV prefix."""
        return sum(path.stat().st_size for path in self.folder.iterdir() if path.is_file() and path.name != PREFIX)

    def _block(self, number: int) -> Path:
        return self.folder / f"block-{number:06d}.safetensors"

    def _state(self, blocks: int) -> Path:
        return self.folder / f"state-{blocks:06d}.safetensors"

    def _write(self, path: Path, piece: Piece) -> None:
        facts = json.dumps(dict(piece.facts))
        about = {"index": self.header.id, "file": path.name, "facts": facts}
        write_atomic(path, save(dict(piece.tensors), about | {"sha256": checksum(about, piece.tensors)}))

    def _read(self, path: Path) -> Piece:
        try:
            with safe_open(path, framework="pt") as file:
                about = dict(file.metadata() or {})
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        except (OSError, SafetensorError) as error:
            raise _damaged(path, str(error)) from error
        written = about.pop("sha256", None)
        if written != checksum(about, tensors):
            raise _damaged(path, "its checksum does not match its contents")
        if about["index"] != self.header.id or about["file"] != path.name:
            whose = "this" if about["index"] == self.header.id else "another"
            raise _damaged(path, f"it is '{about['file']}' of {whose} index")
        return Piece(tensors, json.loads(about["facts"]))


def _damaged(path: Path, why: str) -> IndexFileError:
    found = f"'{path}' is damaged: {why.splitlines()[0]}"
    return IndexFileError(found, "the file that was written", "restore it, or delete the index and make it again")


def checksum(about: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of a file's metadata and named tensors."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
