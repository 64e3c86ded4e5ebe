"""Errors cross processes with all that a user can act on."""

import pickle

import pytest

from longpanda import errors

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.LongPandaError)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_pickling(kind):
    more = (1.5,) if kind is errors.CutVideoError else ()
    error = kind("found", "expected", "remedy", *more)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (kind, "found; expected expected; remedy", vars(error))
