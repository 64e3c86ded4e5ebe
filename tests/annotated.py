"""Annotated media that tests make themselves: every frame shows its own number as a shade of grey."""

import json
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

STEP = 4
"""Of grey from one number to the next: more than any codec here is off by."""
MIXTURE = """
datasets:
  - {json_path: films.jsonl, data_root: media, repeat: 2}
  - {json_path: folders.json, data_root: media, video_read_type: img, frames_fps: 2}
  - {json_path: pictures.jsonl, data_root: media, sampling_strategy: "first:2"}
  - {json_path: text.jsonl}
"""


def picture(number: int, height_px: int = 48, width_px: int = 64) -> np.ndarray:
    return np.full((height_px, width_px, 3), STEP * (number % 64), np.uint8)


def number_in(pixels: np.ndarray) -> int:
    return round(float(pixels.astype(np.float64).mean()) / STEP)


def numbers_in(frames: Iterable[np.ndarray]) -> list[int]:
    return [number_in(pixels) for pixels in frames]


def write_film(path: Path, frames: int, fps: int = 10, ticks: Sequence[int] | None = None) -> Path:
    """Frames at `ticks` (in 1 / fps s; default 0, 1, 2, ...)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "crf": "10", "g": "5"})
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(number), "rgb24")
            frame.pts = number if ticks is None else ticks[number]
            frame.time_base = Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_folder(folder: Path, frames: int, name: str = "{:05d}.jpg", first: int = 1, step: int = 1) -> Path:
    """Pictures 0, 1, 2, ... whose names count from `first`, written in an order that is not theirs."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in sorted(range(frames), key=lambda one: (one * 7) % 11):
        Image.fromarray(picture(number)).save(folder / name.format(first + step * number), quality=95)
    return folder


def write_gif(path: Path, delays_ms: Sequence[int]) -> Path:
    frames = [Image.fromarray(picture(number)[..., 0]) for number in range(len(delays_ms))]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=list(delays_ms), loop=0)
    return path


def write_picture(path: Path, number: int = 9, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(number)).save(path, **options)
    return path


def record(question: str = "What happens?", answer: str = "It gets brighter.", **media: Any) -> dict[str, Any]:
    """Of a conversation about what `media` names: video or image, start and end."""
    count = sum(
        len(media[kind]) if isinstance(media[kind], list) else 1 for kind in ("video", "image") if kind in media
    )
    turns = [{"from": "human", "value": "<image>\n" * count + question}, {"from": "gpt", "value": answer}]
    return {**media, "conversations": turns}


def write_records(path: Path, records: Sequence[dict[str, Any]]) -> Path:
    text = json.dumps(records) if path.suffix == ".json" else "".join(f"{json.dumps(one)}\n" for one in records)
    path.write_text(text, encoding="utf-8")
    return path


def write_mixture(folder: Path) -> Path:
    """A yaml with media of all kinds: 6 records, of which one is of no use: its film is missing."""
    write_film(folder / "media/films/a film [1].mp4", 60)
    write_folder(folder / "media/show_1", 20)
    write_picture(folder / "media/a.jpg")
    write_records(
        folder / "films.jsonl",
        [
            record(video="films/a film [1].mp4"),
            record(video="films/a film [1].mp4", start=1, end=3.5),
            record(video="films/gone.mp4"),
        ],
    )
    write_records(folder / "folders.json", [record(video="show_1", start="2", end="4.5")])
    write_records(
        folder / "pictures.jsonl", [record(image="a.jpg"), record(image=["a.jpg", "a.jpg"]), record(image="z.jpg")]
    )
    write_records(folder / "text.jsonl", [record("Two and two?", "Four.")])
    path = folder / "stage.yaml"
    path.write_text(MIXTURE)
    return path
