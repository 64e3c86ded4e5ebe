"""What a process says of its own memory."""

import subprocess
import sys

from longpanda.memory import peak_memory_bytes


def test_a_process_does_not_count_what_its_parent_had():
    large = bytearray(256 << 20)
    large[:: 1 << 12] = b"1" * (len(large) >> 12)  # every page is touched
    said = "from longpanda.memory import peak_memory_bytes; print(peak_memory_bytes())"
    child = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert 2**20 < int(child.stdout) < 128 << 20
    assert peak_memory_bytes() > 256 << 20
