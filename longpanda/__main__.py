"""`python -m longpanda VERB ...`, where the `longpanda` script is not on the PATH, and for `torchrun -m longpanda`."""

from longpanda.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
