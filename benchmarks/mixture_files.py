"""Generated annotation files of the names, forms and sizes of VideoChat-Flash's mixture, and its stage yamls.

`videochat_flash.csv` has a line for each annotation file: its name, what it is about, its number of records if that is
published, how its media are read, the web page that its yaml names as `data_root`, the strategy of each stage that uses
it, and an assumed range of durations. Contents are made up and short.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

TABLE: Final = Path(__file__).parent / "videochat_flash.csv"
STAGES: Final = {
    "stage1": "stage1_init_connector_iv1m",
    "stage2": "stage2_short_pretrain_iv6m",
    "stage3": "stage3_short-long_mix_sft",
    "stage4": "stage4_highres_postsft",
}
"""Names of the yamls by stage."""
UNKNOWN_RECORDS: Final = 20_000
"""Records that are made for a file whose size is not published."""
REMOTE: Final = "m4_instruct_annotations.json"
"""The file whose `json_path` is a web address."""
REMOTE_PATH: Final = f"https://huggingface.co/datasets/lmms-lab/M4-Instruct-Data/{REMOTE}"
TWICE: Final = "llava-video_30_60_s_academic_v0_1_cap_processed_10514_with_duration.jsonl"
"""The entry whose `data_root` is written twice in the long stages."""
_BLOCK: Final = 20_000
_QUESTIONS: Final = ("What happens?", "Describe it in detail.", "Which of these is right? (A) red (B) blue", "Why?")
_ANSWERS: Final = ("A cup falls.", "A person opens a door, looks around and leaves.", "(A) red", "It was pushed.")


@dataclass(frozen=True)
class AnnotationFile:
    """A line of the table.

    Args:
        name: of the file.
        kind: "image", "video" or "text".
        count: records; None where that is not published.
        read: `video_read_type`, or "".
        root: `data_root`, or "".
        strategies: by stage that uses it.
        seconds: shortest and longest duration that is assumed of its videos; None for others.
    """

    name: str
    kind: str
    count: int | None
    read: str
    root: str
    strategies: dict[str, str]
    seconds: tuple[float, float] | None

    @property
    def records(self) -> int:
        """Records that are made."""
        return UNKNOWN_RECORDS if self.count is None else self.count


def table() -> list[AnnotationFile]:
    """All annotation files of stages 1 to 4."""
    with TABLE.open(newline="") as file:
        return [_file(row) for row in csv.DictReader(file)]


def _file(row: dict[str, str]) -> AnnotationFile:
    strategies = {stage: row[stage] for stage in STAGES if row[stage]}
    seconds = (float(row["low_seconds"]), float(row["high_seconds"])) if row["low_seconds"] else None
    count = int(row["count"]) if row["count"] else None
    return AnnotationFile(row["name"], row["kind"], count, row["read"], row["root"], strategies, seconds)


def write_annotations(files: list[AnnotationFile], folder: Path, share: float = 1.0) -> int:
    """Write annotation files; returns their size in bytes.

    Args:
        files: to write.
        folder: that takes them; it is made.
        share: of each file's records that is written, at least one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size = 0
    for file in files:
        path, count = folder / file.name, max(1, round(file.records * share))
        with path.open("w", encoding="utf-8") as target:
            is_list = path.suffix == ".json"
            target.write("[" if is_list else "")
            for start in range(0, count, _BLOCK):
                rows = (_record(file, number) for number in range(start, min(count, start + _BLOCK)))
                target.write((", " if is_list and start else "") + (", " if is_list else "\n").join(rows))
                target.write("" if is_list else "\n")
            target.write("]" if is_list else "")
        size += path.stat().st_size
    return size


def _record(file: AnnotationFile, number: int) -> str:
    """One record as JSON, of the form that files of its kind have."""
    marks, media = "<image>\\n", f'"{file.kind}": "{number % 1000:03d}/{number:08d}.mp4", '
    if file.kind == "text":
        marks, media = "", ""
    elif file.kind == "image":
        media = f'"image": "{number:08d}.jpg", '
        if file.name == REMOTE:
            marks, media = "<image><image>\\n", f'"image": ["{number:08d}_0.jpg", "{number:08d}_1.jpg"], '
    elif file.read == "gif":
        media = f'"video": "tumblr_{number:08d}.gif", '
    elif file.read:
        media = f'"video": "{number:08d}", "start": 1.5, "end": 9.25, '
    question, answer = _QUESTIONS[number % 4], _ANSWERS[number % 4]
    turns = f'{{"from": "human", "value": "{marks}{question}"}}, {{"from": "gpt", "value": "{answer}"}}'
    more = ', {"from": "human", "value": "And then?"}, {"from": "gpt", "value": "Nothing."}' if number % 8 == 1 else ""
    return f'{{"id": {number}, {media}"conversations": [{turns}{more}]}}'


def write_yaml(stage: str, files: list[AnnotationFile], folder: Path) -> Path:
    """Write a stage's yaml as it is shipped: comments, both ways to quote, web pages as folders, a duplicate key."""
    path = folder / f"{STAGES[stage]}.yaml"
    used = [file for file in files if stage in file.strategies]
    path.write_text("datasets:\n" + "".join(_entries(stage, used)), encoding="utf-8")
    return path


def _entries(stage: str, files: list[AnnotationFile]) -> Iterator[str]:
    for number, file in enumerate(files):
        where = (
            REMOTE_PATH if file.name == REMOTE else f"OpenGVLab/VideoChat-Flash-Training-Data/annotations/{file.name}"
        )
        strategy = file.strategies[stage]
        lines = [f"  # {file.kind}" if number % 7 == 0 else "", f"  - json_path: {where} # {file.count or ''}"]
        lines.append(f'    sampling_strategy: "{strategy}"' if number % 2 else f"    sampling_strategy: {strategy}")
        lines += [f"    video_read_type: {file.read}"] * bool(file.read)
        root = f'    data_root: "{file.root}"' if number % 3 == 0 else f"    data_root: {file.root}"
        lines += [root] * bool(file.root) + ["", root] * (file.name == TWICE)
        yield "\n".join(lines) + "\n\n"


def roots(stage: str, files: list[AnnotationFile], folder: Path) -> dict[str, Any]:
    """A folder on this machine for every web page of a stage, as recipes write it."""
    used = [file for file in files if stage in file.strategies and file.root]
    return {file.name: {"path": str(folder), "frames_fps": 1} if file.read == "img" else str(folder) for file in used}
