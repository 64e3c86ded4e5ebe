"""The model's tests run with the shapes and types in signatures checked (jaxtyping, beartype), where installed.

Only `longpanda.model`: packages that meet user input refuse wrong types with errors of their own, and tests want those.
"""

import importlib.util

import pytest
from chat_server import Server

CHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
"""beartype, taking an int for a float as PEP 484 does."""

if importlib.util.find_spec("jaxtyping") and importlib.util.find_spec("beartype"):
    import jaxtyping

    jaxtyping.install_import_hook("longpanda.model", CHECKER)


@pytest.fixture
def serve():
    """Starts servers of chat completions, each by its script; all are closed at the end."""
    running: list[Server] = []

    def start(script) -> Server:
        running.append(Server(script))
        return running[-1]

    yield start
    for server in running:
        server.held.set()
        server.shutdown()
        server.server_close()
