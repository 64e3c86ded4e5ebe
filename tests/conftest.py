"""Every test runs with the shapes and types in signatures checked (jaxtyping, beartype), where these are installed."""

import importlib.util

if importlib.util.find_spec("jaxtyping") and importlib.util.find_spec("beartype"):
    import jaxtyping

    jaxtyping.install_import_hook("longpanda", "beartype.beartype")
