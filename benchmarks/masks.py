"""Memory of training rows with several questions: dense attention masks against the tiles of flex attention, by length.

    python -m benchmarks.masks

Each row is measured in a new process: one example, three quarters of whose tokens are shared by two questions, passes
forward through a language model of two layers. Peak memory is counted from the loaded model on. On a CPU, flex
attention is compiled on its first call, which takes memory, so a short row passes through both kinds before the
measurement.
"""

import argparse
import multiprocessing
from pathlib import Path
from typing import Any

import torch
import torch._inductor.config
from transformers import AutoModelForCausalLM, Qwen2Config

from benchmarks.measure import machine, write_json
from longpanda.memory import peak_memory_bytes
from longpanda.model.blocks import attention_mask

LENGTHS = (4096, 8192, 16384)
WIDTH = 64
RESULT = Path(__file__).parent / "results/masks_cpu.json"


def measured(attention: str, length: int, device: str) -> dict[str, Any]:
    """Return the bytes that one row takes in addition to the model. Call it in a new process."""
    torch.set_num_threads(1)
    torch._inductor.config.compile_threads = 1  # in this process: worker processes would outlive it
    torch.manual_seed(0)
    sizes = {"hidden_size": WIDTH, "intermediate_size": WIDTH, "num_hidden_layers": 2, "vocab_size": 64}
    config = Qwen2Config(**sizes, num_attention_heads=4, num_key_value_heads=2)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention).eval().to(device)
    before = 0
    for tokens in (256, length):
        before = _peak(device)
        place = torch.arange(tokens, device=device)[None]
        blocks = (place >= tokens * 3 // 4).long() + (place >= tokens * 7 // 8).long()
        with torch.no_grad():
            row = torch.randn(1, tokens, WIDTH, device=device)
            mask = attention_mask(blocks, attention, row.dtype)
            model(inputs_embeds=row, attention_mask=mask, use_cache=False, logits_to_keep=1)
    return {"attention": attention, "tokens": length, "bytes": _peak(device) - before}


def _peak(device: str) -> int:
    return torch.cuda.max_memory_allocated() if device == "cuda" else peak_memory_bytes()


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--out", type=Path, default=RESULT.with_name(f"masks_{device}.json"))
    options = parser.parse_args()
    rows = []
    for length in LENGTHS:
        for attention in ("sdpa", "flex_attention"):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                rows.append(pool.apply(measured, (attention, length, device)))
            print(f"{attention:15} {length:6} tokens {rows[-1]['bytes'] / 2**20:8.1f} MiB", flush=True)
    write_json(options.out, {"device": device, "rows": rows, "machine": machine()})


if __name__ == "__main__":
    main()
