"""Differences between golden values, and those that another order of sums explains."""

import torch

from benchmarks.golden import differences, kept


def test_the_same_bytes_are_no_difference():
    numbers = {"logits": kept(torch.arange(100.0)), "marks": [["q", "a", 1.0]], "loss": 0.5}
    assert list(differences(numbers, numbers)) == []


def test_the_last_bit_is_an_order_of_sums_and_more_is_not():
    before = kept(torch.linspace(1, 2, 40))
    assert [line[0] for line in differences(before, kept(torch.linspace(1, 2, 40) * (1 + 2e-7)))] == ["~"]
    (line,) = differences({"x": before}, {"x": kept(torch.linspace(1, 2, 40) * 1.001)})
    assert line == "/x: off by 0.001 of its size"
    assert list(differences({"loss": 1.0}, {"loss": 1.0 + 1e-9})) == ["~/loss: off by 1e-09 of its size"]


def test_what_is_missing_or_of_another_kind_is_said():
    assert list(differences({"a": 1, "b": 2}, {"b": 3, "c": 4})) == [
        "/a: only before",
        "/b: 2 before, 3 now",
        "/c: only now",
    ]
    assert list(differences(kept(torch.zeros(2)), kept(torch.zeros(3)), "/x")) == ["/x: [2] before, [3] now"]
    assert list(differences([1, 2], [1], "/x")) == ["/x: [1, 2] before, [1] now"]
    nothing = kept(torch.full((3,), torch.nan))
    assert [line[0] for line in differences(kept(torch.ones(3)), nothing, "/x")] == ["/"], (
        "no number is an order of sums"
    )
