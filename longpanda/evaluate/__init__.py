"""Scoring of answers. This package sees questions and an answerer only, not how answers are generated."""

from longpanda.evaluate.command import Command
from longpanda.evaluate.endpoint import Endpoint
from longpanda.evaluate.metrics import Accuracy, accuracy
from longpanda.evaluate.records import Records, check_configuration, read_notes, read_records
from longpanda.evaluate.request import Request
from longpanda.evaluate.runner import Answerer, Ask, run, run_many

__all__ = [
    "Accuracy",
    "Answerer",
    "Ask",
    "Command",
    "Endpoint",
    "Records",
    "Request",
    "accuracy",
    "check_configuration",
    "read_notes",
    "read_records",
    "run",
    "run_many",
]
