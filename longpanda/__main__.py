"""`python -m longpanda VERB ...`: use it without the `longpanda` script on the PATH, and as `torchrun -m longpanda`."""

from longpanda.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
