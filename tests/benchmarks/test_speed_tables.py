"""Wall seconds are shown only if nothing else was running."""

import pytest

from benchmarks import speed_tables

SECONDS = {"longpanda": (10.0, 10.0), "longpanda, 2 workers": (5.5, 10.0), "decord": (15.0, 20.0)}


def runs(**changed):
    times = {reader: changed.get(reader.replace(", 2 workers", "_2"), seconds) for reader, seconds in SECONDS.items()}
    rows = [
        {"minutes": 10, "frames": 64, "reader": reader, "wall_seconds": wall, "cpu_seconds": cpu}
        for reader, (wall, cpu) in times.items()
    ]
    return {"runs": [*rows, {"minutes": 10, "frames": 64, "reader": "longpanda", "failed": "not done after 300 s"}]}


def test_wall_seconds_of_a_free_machine_are_compared():
    assert speed_tables._wall(runs()) == "Wall seconds of decord relative to two workers: x 2.73 (10 min, 64 frames)."


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"longpanda": (12.0, 10.0)}, "'longpanda' took 1.20 wall seconds per CPU second"),
        ({"longpanda_2": (10.0, 10.0)}, "'longpanda, 2 workers' took 1.00 wall seconds per CPU second"),
    ],
)
def test_those_of_a_shared_machine_are_not(changed, message):
    assert message in speed_tables._wall(runs(**changed))
