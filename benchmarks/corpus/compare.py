"""One file: what LongPanda gives in each way beside all that FFmpeg decodes, as a list of differences."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.corpus import ffmpeg, ways
from benchmarks.corpus.case import Case
from benchmarks.corpus.identity import Reference, corrupt_pictures
from benchmarks.corpus.ways import Given
from longpanda.errors import LongPandaError
from longpanda.video import probe

TIME_TOLERANCE_SECONDS = 0.0021
"""Containers that count milliseconds round twice: the time of a picture and where the stream starts."""
LISTED = 8
ENDS = 3


def compare(case: Case | None, path: Path, program: Path) -> dict[str, Any]:
    """What differs for one file.

    Args:
        case: what is known of it, None for a file from elsewhere.
        path: the file.
        program: FFmpeg's command line.
    """
    shown = ffmpeg.walk(program, path)
    walked = ways.walk(path)
    result: dict[str, Any] = {"ffmpeg": len(shown), "walked": len(walked), "explained": case.explained if case else ""}
    if walked.error is not None and not len(walked):
        differences = _refusal(case, len(shown), walked.error)
        return result | {"differences": differences, "refused": walked.error}
    plain = corrupt_pictures(path)
    reference = Reference(shown, case)
    excused = reference.excused | set(reference.places_of(plain.marked, plain.seconds))
    result |= {"plain": plain.count, "marked_corrupt": len(plain.marked)}
    if case is not None and case.refused:
        return result | {"differences": [f"not refused, expected an error about '{case.refused}'"]}
    places = reference.places_of(walked.pixels, walked.pts_seconds)
    starts = _start_second(walked, places, reference)
    if starts:
        result["starts"] = starts
    differences = _of_probe(path, reference, starts, case is not None and case.promises_more) + _of_walk(walked, places, reference, excused, starts)
    seconds, expected = reference.questions(excused, starts)
    if seconds:
        differences += _of_questions(path, seconds, expected, reference)
    return result | {"differences": differences, "asked": len(seconds)}


def _refusal(case: Case | None, pictures: int, error: str) -> list[str]:
    wanted = case.refused if case else ""
    if wanted and wanted not in error:
        return [f"refused, but not as {wanted}: {error}"]
    if wanted or not pictures:
        return []
    return [f"refused: {error}"]


def _of_probe(path: Path, reference: Reference, starts: float, promises_more: bool) -> list[str]:
    try:
        info = probe(path)
    except LongPandaError as error:
        return [f"probe: {error}"]
    differences = []
    if reference.size_px is not None and (info.height_px, info.width_px) != reference.size_px:
        high, wide = reference.size_px
        differences.append(f"size {info.width_px}x{info.height_px} for {wide}x{high}")
    end, interval = reference.end_seconds()
    grace = max(1.5 * interval, 0.1)
    over = 0.0 if end is None else info.duration_seconds - end
    if end is not None and not (-grace <= over and (promises_more or over <= grace + max(starts, 0.0))):
        differences.append(f"duration {info.duration_seconds:.3f} for {end:.3f} s")
    return differences


def _start_second(walked: Given, places: Sequence[int], reference: Reference) -> float:
    """When the first picture is shown, if most are as much later than they were made: the file begins with a pause."""
    off = [
        round(second - true, 2)
        for place, second in zip(places, walked.pts_seconds, strict=True)
        if place >= 0 and (true := reference.seconds[place]) is not None
    ]
    most = Counter(off).most_common(1)
    return most[0][0] if most and most[0][1] > len(off) / 2 and abs(most[0][0]) > TIME_TOLERANCE_SECONDS else 0.0


def _of_walk(
    walked: Given, places: Sequence[int], reference: Reference, excused: set[int], starts: float
) -> list[str]:
    known = [place for place in places if place >= 0]
    counted = Counter(known)
    differences = [f"walk: {walked.error}"] if walked.error else []
    differences += _some("walk misses", [place for place in range(len(reference)) if not counted[place]], reference, excused)
    differences += _some("walk repeats", [place for place, count in counted.items() if count > 1], reference, excused)
    if foreign := len(places) - len(known):
        differences.append(f"walk shows {foreign} pictures that FFmpeg does not: {_spans(walked, places)}")
    if sorted(known) != known:
        differences.append("walk is out of order")
    return differences + _moved(walked, places, reference, excused, starts)


def _spans(walked: Given, places: Sequence[int]) -> str:
    foreign = [f"{second:.3f} s" for second, place in zip(walked.pts_seconds, places, strict=True) if place < 0]
    return ", ".join(foreign[:LISTED])


def _some(what: str, places: Sequence[int], reference: Reference, excused: set[int]) -> list[str]:
    """A difference with the numbers it concerns, unless all are excused."""
    counted = sorted(set(places) - excused)
    return [f"{what} {len(counted)}: {reference.names(counted)}"] if counted else []


def _moved(
    walked: Given, places: Sequence[int], reference: Reference, excused: set[int], starts: float
) -> list[str]:
    off = {}
    for place, second in zip(places, walked.pts_seconds, strict=True):
        true = reference.seconds[place] if place >= 0 else None
        if true is not None and place not in excused and abs(second - true - starts) > TIME_TOLERANCE_SECONDS:
            off[place] = second - true - starts
    if not off:
        return []
    least, most = min(off.values()), max(off.values())
    return [f"walk moves {len(off)} by {least:+.3f} to {most:+.3f} s: {reference.names(sorted(off))}"]


def _of_questions(path: Path, seconds: list[float], expected: list[int], reference: Reference) -> list[str]:
    every = ways.one_by_one(path, seconds)
    differences = [f"asked: {every.error}"] if every.error else []
    answers = dict(zip(every.numbers or [], range(len(every)), strict=True))
    differences += _wrong(seconds, expected, answers, every, reference)
    for name, way in (("iter_frames, 2 workers", ways.ahead), ("iter_chunks, 2 workers", ways.chunked)):
        differences += _other(name, way(path, seconds), every)
    for workers in (1, 2, 3):
        differences += _other(f"decode, {workers} workers", ways.decoded(path, seconds, workers), every)
    sparse = list(range(0, len(seconds), ways.SPARSE))
    few = [seconds[number] for number in sparse]
    for name, way in (
        ("every 7th", ways.one_by_one),
        ("every 7th, 2 workers", partial(ways.decoded, workers=2)),
    ):
        differences += _other(name, way(path, few), ways.chosen(every, sparse))
    ends = [*range(len(seconds))[:ENDS], *sparse, *range(len(seconds))[-ENDS:]]
    single = sorted(set(ends))
    alone = ways.alone(path, [seconds[number] for number in single])
    return differences + _other("alone", alone, ways.chosen(every, single))


def _wrong(
    seconds: list[float], expected: list[int], answers: dict[int, int], every: Given, reference: Reference
) -> list[str]:
    none = [expected[number] for number in range(len(seconds)) if number not in answers]
    wrong = []
    for number, at in answers.items():
        got = reference.places_of(every.pixels[at : at + 1], [every.pts_seconds[at]], expected[number])[0]
        if got != expected[number]:
            wrong.append(f"{seconds[number]:.3f} s {reference.names([got])} for {reference.names([expected[number]])}")
    differences = []
    if none:
        differences.append(f"asked: no picture {len(none)}: {reference.names(none)}")
    if wrong:
        differences.append(f"asked: wrong picture {len(wrong)}: {', '.join(wrong[:LISTED])}")
    return differences


def _other(name: str, given: Given, every: Given) -> list[str]:
    """How answers differ from those to all seconds, one after the other."""
    if given.error is not None and given.error != every.error and (len(every) or " is on screen at " not in given.error):
        return [f"{name}: {given.error}"]
    if ways.equal(given, every):
        return []
    if given.numbers is None or len(given) != len(every):
        return [f"{name}: {len(given)} pictures for {len(every)}"] if len(given) != len(every) else [
            f"{name}: {_unequal(given, every)} of {len(every)} pictures differ"
        ]
    return [f"{name}: {_unequal(given, every)} of {len(every)} pictures differ"]


def _unequal(given: Given, every: Given) -> int:
    same_time = np.asarray(given.pts_seconds) == np.asarray(every.pts_seconds)
    same_pixels = (given.pixels == every.pixels).all(axis=(1, 2, 3))
    return int((~(same_time & same_pixels)).sum())
