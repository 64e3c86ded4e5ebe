"""Mixtures of annotation files: the stage yamls of VideoChat-Flash as they are shipped, or a user's own."""

import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from longpanda.data.selection import check
from longpanda.errors import ConfigError, nearest

READ_TYPES: Final = {
    "decord": "video",
    "av": "video",
    "lazy": "video",
    "gif": "video",
    "img": "frames",
    "frame": "frames",
}
"""Names of `video_read_type`, by how we read such media: a video file, or a folder of frames."""
MEDIA_TYPES: Final = ("image", "video", "text", "mix")
_KEYS: Final = (
    "json_path",
    "sampling_strategy",
    "data_root",
    "video_read_type",
    "media_type",
    "repeat",
    "frames_fps",
    "licence",
)
MISSING: Final = ("fail", "leave out")
"""What `Places.missing` may say of a source that is not on this machine."""
_WEB: Final = ("http://", "https://", "s3://")


@dataclass(frozen=True)
class Root:
    """Where the media of a source are on this machine.

    Args:
        path: the folder that their paths start from.
        frames_fps: frames per second of its folders of frames; None where the source has none.
    """

    path: Path
    frames_fps: float | None = None


@dataclass(frozen=True)
class Source:
    """One annotation file of a mixture.

    Args:
        name: as the mixture writes its `json_path`; it identifies the source.
        annotations: the annotation file on this machine.
        root: where its media are; None for text alone.
        strategy: which of its records are used, see `selected`.
        is_frames: its videos are folders of frames.
        media_type: what its records must be about: "image", "video" or "text"; "" for any mixture of them.
        repeat: how often each record is shown in an epoch; 0.5 shows half of them, others in the next epoch.
        stands_for: the `json_path` of the source that this one is a declared substitute for, or "".
        licence: a note on the terms of its media, kept in reports.
    """

    name: str
    annotations: Path
    root: Root | None = None
    strategy: str = "all"
    is_frames: bool = False
    media_type: str = ""
    repeat: float = 1.0
    stands_for: str = ""
    licence: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A source that is not on this machine, and that the recipe allows to be left out.

    Args:
        name: as `Source.name`.
        reason: what is missing.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Mixture:
    """All sources of a mixture.

    Args:
        path: its yaml.
        sources: in order.
        notices: what was odd about the yaml and could be read in one way only.
        left_out: entries of the yaml that are not among the sources.
    """

    path: Path
    sources: tuple[Source, ...]
    notices: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def sha256(self, annotations: Sequence[str]) -> str:
        """What the mixture shows, as a hash: equal on two machines whose annotation files have the same content.

        Args:
            annotations: SHA-256 of each source's annotation file, see `RecordIndex.sha256`.
        """
        listed = [
            [one.name, one.strategy, one.repeat, one.is_frames, one.media_type, one.root and one.root.frames_fps, known]
            for one, known in zip(self.sources, annotations, strict=True)
        ]
        return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


@dataclass(frozen=True)
class Places:
    """Where a mixture's files are on this machine, as recipes write it.

    Args:
        annotations: the folder in which annotation files are looked up, by `json_path` or by their file name; None for
            the yaml's own folder.
        roots: folders of media, by the source's `json_path`, its file name or its `data_root`. A value is a folder, or
            `{path: FOLDER, frames_fps: RATE}`.
        substitute: entries, each with the keys of a mixture's, that are used in place of others; by the others'
            `json_path` or its file name.
        licences: notes on the terms of sources, by the same names as `roots`.
        missing: what becomes of an entry whose annotation file or root folder is not there: "fail", or "leave out",
            which is reported.
    """

    annotations: Path | None = None
    roots: Mapping[str, Any] = field(default_factory=dict)
    substitute: Mapping[str, Any] = field(default_factory=dict)
    missing: str = "fail"
    licences: Mapping[str, str] = field(default_factory=dict)


class NotHereError(ConfigError):
    """An annotation file or a root folder that is not on this machine."""


def read_mixture(path: Path, places: Places | None = None) -> Mixture:
    """Read a mixture's yaml and find its files.

    Args:
        path: the yaml: `datasets`, a list of entries with the keys of VideoChat-Flash (`json_path`,
            `sampling_strategy`, `data_root`, `video_read_type`, `media_type`) and our own (`repeat`, `frames_fps`,
            `licence`).
        places: where its files are.

    Raises:
        ConfigError: a missing file, an unknown key, strategy or read type, a key with two values, a root that is a web
            page and is not mapped to a folder, or folders of frames without a frame rate.
    """
    places = places or Places()
    if places.missing not in MISSING:
        raise ConfigError(f"missing: '{places.missing}'", " or ".join(MISSING), nearest(places.missing, MISSING))
    notices: list[str] = []
    entries = _substituted(path, _entries(path, notices), places)
    sources: list[Source] = []
    left_out: list[LeftOut] = []
    for number, (entry, stands_for) in enumerate(entries):
        try:
            sources.append(_source(path, number, entry, places, stands_for))
        except NotHereError as error:
            if places.missing == "fail":
                raise
            left_out.append(LeftOut(str(entry["json_path"]), error.found))
    if not sources:
        raise ConfigError(f"no source of '{path}' is here: {left_out[0].reason}", "at least one", "fetch its files")
    _check_names(path, [str(entry["json_path"]) for entry, _ in entries])
    _check_keys(path, [entry for entry, _ in entries], places)
    return Mixture(path, tuple(sources), tuple(notices), tuple(left_out))


def _check_names(path: Path, names: list[str]) -> None:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"'{twice}' twice in '{path}'", "each source once", "use repeat: 2 in one entry")


def _check_keys(path: Path, entries: Sequence[Mapping[str, Any]], places: Places) -> None:
    used = {key for entry in entries for key in _root_keys(entry["json_path"], entry)}
    for what, named in (("root", places.roots), ("licence", places.licences)):
        if unused := [key for key in named if key not in used]:
            found = f"a {what} for '{unused[0]}', which no entry of '{path}' names"
            raise ConfigError(found, "a json_path, its file name or a data_root", nearest(unused[0], sorted(used)))


def _substituted(path: Path, entries: list[dict[str, Any]], places: Places) -> list[tuple[dict[str, Any], str]]:
    """Entries with the declared substitutes in their places, and what each stands for. Raises ConfigError."""
    left, found = dict(places.substitute), []
    for entry in entries:
        name = str(entry.get("json_path"))
        key = next((key for key in (name, Path(name).name) if key in left), None)
        other = entry if key is None else left.pop(key)
        if not isinstance(other, dict):
            raise ConfigError(f"substitute: {{'{key}': {other!r}}}", "an entry with json_path", "write it in braces")
        found.append((other, "" if key is None else name))
    if left:
        names = sorted(str(entry.get("json_path")) for entry in entries)
        raise ConfigError(
            f"a substitute for '{next(iter(left))}', which no entry of '{path}' names",
            "a json_path or its file name",
            nearest(next(iter(left)), names),
        )
    return found


def _entries(path: Path, notices: list[str]) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        loader = _Loader(text)
        loader.path, loader.notices = path, notices
        tree = loader.get_single_data()
    except OSError as error:
        raise ConfigError(f"no file '{path}' ({error.strerror})", "a mixture", "name a yaml that is there") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        found = f"'{path}' is not YAML ({' '.join(str(error).split())})"
        raise ConfigError(found, "a mixture", "fix it at that place") from error
    entries = tree.get("datasets") if isinstance(tree, dict) else None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(
            f"'{path}' without entries", "datasets: a list of entries", "write it as VideoChat-Flash does"
        )
    return entries


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which tells of a key that stands twice in a mapping instead of dropping the first.

    Attributes:
        path: of the file, for messages.
        notices: a line for each key that is written twice with one value.
    """

    path: Path
    notices: list[str]

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        """As of SafeLoader. Raises ConfigError for a key with two values."""
        seen: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key, value = self.construct_object(key_node, True), self.construct_object(value_node, True)
            line = key_node.start_mark.line + 1
            if key in seen and seen[key] != value:
                found = f"line {line} of '{self.path}': {key} '{value}' after '{seen[key]}' in one entry"
                raise ConfigError(found, "each key once", "delete one of the two lines")
            if key in seen:
                self.notices.append(f"line {line} of '{self.path}' writes {key} a second time, with the same value")
            seen[key] = value
        return super().construct_mapping(node, deep)


def _source(path: Path, number: int, entry: dict[str, Any], places: Places, stands_for: str) -> Source:
    where = f"entry {number + 1} of '{path}'"
    for key in entry:
        if key not in _KEYS:
            raise ConfigError(f"{where}: unknown key '{key}'", ", ".join(_KEYS), nearest(str(key), _KEYS))
    name = entry.get("json_path")
    if not isinstance(name, str) or Path(name).suffix not in (".json", ".jsonl"):
        raise ConfigError(f"{where}: json_path {name!r}", "a file .json or .jsonl", "name the annotation file")
    where = f"'{name}' in '{path}'"
    strategy = str(entry.get("sampling_strategy", "all"))
    try:
        check(strategy)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error.found}", error.expected, error.remedy) from error
    is_frames = _read_type(where, entry) == "frames"
    root = _root(where, path, entry, places, is_frames)
    return Source(
        name=name,
        annotations=_annotations(where, path, name, places),
        root=root,
        strategy=strategy,
        is_frames=is_frames,
        media_type=_media_type(where, entry),
        repeat=_number(where, entry, "repeat", 1.0),
        stands_for=stands_for,
        licence=_licence(where, entry, places),
    )


def _read_type(where: str, entry: Mapping[str, Any]) -> str:
    name = entry.get("video_read_type", "decord")
    if name not in READ_TYPES:
        found = f"{where}: video_read_type '{name}'"
        raise ConfigError(found, ", ".join(READ_TYPES), nearest(str(name), READ_TYPES))
    return READ_TYPES[name]


def _media_type(where: str, entry: Mapping[str, Any]) -> str:
    name = entry.get("media_type", "mix")
    if name not in MEDIA_TYPES:
        raise ConfigError(f"{where}: media_type '{name}'", ", ".join(MEDIA_TYPES), nearest(str(name), MEDIA_TYPES))
    return "" if name == "mix" else name


def _licence(where: str, entry: Mapping[str, Any], places: Places) -> str:
    keys = _root_keys(entry["json_path"], entry)
    note = next((places.licences[key] for key in keys if key in places.licences), entry.get("licence", ""))
    if not isinstance(note, str):
        raise ConfigError(f"{where}: licence {note!r}", "text", "write it in quotes")
    return note


def _number(where: str, entry: Mapping[str, Any], key: str, default: float) -> float:
    value = entry.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigError(f"{where}: {key} {value!r}", "a number above 0", f"correct {key}")
    return float(value)


def _annotations(where: str, path: Path, name: str, places: Places) -> Path:
    """The annotation file: by its path or its name below `places.annotations`, or below the yaml's own folder."""
    folder = places.annotations or path.parent
    tried = [folder / Path(name).name] if name.startswith(_WEB) else [folder / name, folder / Path(name).name]
    found = next((one for one in tried if one.exists()), None)
    if found is None:
        raise NotHereError(
            f"{where}: no file '{tried[0]}'", "the annotation file", "fetch it, or set annotations: FOLDER"
        )
    if not found.is_file():
        raise ConfigError(f"{where}: '{found}' is a folder", "the annotation file", "name the file in it")
    return found


def _root_keys(name: str, entry: Mapping[str, Any]) -> list[str]:
    """What a root may be listed under, the most specific first."""
    own = entry.get("data_root")
    return [name, Path(name).name, *([str(own)] if own else [])]


def _root(where: str, path: Path, entry: Mapping[str, Any], places: Places, is_frames: bool) -> Root | None:
    keys = _root_keys(entry["json_path"], entry)
    listed = next((places.roots[key] for key in keys if key in places.roots), entry.get("data_root"))
    if listed is None:
        return None
    given = listed if isinstance(listed, Mapping) else {"path": listed}
    if not isinstance(given.get("path"), str) or set(given) - {"path", "frames_fps"}:
        raise ConfigError(f"{where}: root {listed!r}", "a folder, or {path, frames_fps}", "correct it in roots")
    if given["path"].startswith(_WEB):
        found = f"{where}: data_root '{given['path']}' is a web page"
        raise NotHereError(found, "a folder on this machine", f"map it: roots: {{'{keys[-1]}': FOLDER}}")
    folder = path.parent / given["path"]
    if not folder.is_dir():
        raise NotHereError(f"{where}: no folder '{folder}'", "the folder of its media", "fetch them, or correct roots")
    rate = {"frames_fps": given.get("frames_fps", entry.get("frames_fps"))}
    if rate["frames_fps"] is None:
        if is_frames:
            found = f"{where}: folders of frames without a frame rate"
            raise ConfigError(found, "frames_fps", f"write roots: {{'{keys[0]}': {{path: FOLDER, frames_fps: 1}}}}")
        return Root(folder)
    return Root(folder, _number(where, rate, "frames_fps", 0.0))
