"""CPU seconds and memory of the state-space scan, against transformers' Mamba-2 without kernels, and by length.

    python -m benchmarks.scan                # about 10 minutes on one core, 8 GiB
    python -m benchmarks.scan --rounds 1 --lengths 65536 --out scan.json --out-lengths lengths.json

Sizes are those of the temporal compressor at the paper's width: 32 heads of 64 channels, states of 128. "Scan" is the
recurrence alone; "mixer" includes projections, convolution and norm, with the same weights on both sides. transformers
uses chunks of 256 tokens by default, and is fastest with 64 here. A long sequence is one call without gradients over a
repeated token, so that the input takes no memory; the memory of the output is not counted as extra.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.measure import Contender, Measurement, Workload, command, compare, keep_result, report
from longpanda.model.configuration import TemporalConfig
from longpanda.model.mamba import Mamba2Mixer
from longpanda.model.ssm import scan

RESULT = Path(__file__).parent / "results" / "scan_cpu.json"
RESULT_LENGTHS = Path(__file__).parent / "results" / "scan_lengths_cpu.json"
CONFIG = TemporalConfig()
HEADS = CONFIG.expand * CONFIG.width // CONFIG.head_width
TOKENS = 4096
LENGTHS = [65_536, 262_144, 1_048_576]
CHUNKS = (256, 64)
"""Chunk lengths of transformers: its default, and the fastest here."""


def _workload(run: Callable[..., Tensor], inputs: list[Tensor], learned: list[Tensor], backward: bool) -> Workload:
    """Return a forward pass, with `backward` followed by the gradients of all inputs and weights."""
    if not backward:
        return Workload(torch.no_grad()(partial(run, *inputs)))
    return Workload(partial(_with_gradients, run, [tensor.requires_grad_() for tensor in inputs], learned))


def _with_gradients(run: Callable[..., Tensor], inputs: list[Tensor], learned: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(run(*inputs).sum(), inputs + learned)


def our_scan(x: Tensor, step: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Run our recurrence on steps before softplus, as transformers takes them, with A = 1."""
    positive = F.softplus(step)
    return scan(x, -positive, positive, b, c, chunk=CONFIG.chunk)[0]


def their_scan(chunk: int, x: Tensor, step: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Run the same recurrence with the torch path of transformers."""
    from transformers.models.mamba2.modeling_mamba2 import mamba2_chunk_scan

    y: Tensor = mamba2_chunk_scan(x, step, -torch.ones(HEADS), b[:, :, None], c[:, :, None], chunk, dt_softplus=True)
    return y


def build_scan(chunk: int | None, backward: bool) -> Workload:
    """Build the scan of one sequence: ours, or that of transformers in chunks."""
    torch.manual_seed(0)
    x = torch.randn(1, TOKENS, HEADS, CONFIG.head_width)
    step, b, c = (torch.randn(1, TOKENS, width) for width in (HEADS, CONFIG.state_width, CONFIG.state_width))
    run = our_scan if chunk is None else partial(their_scan, chunk)
    return _workload(run, [x, step, b, c], [], backward)


def build_mixer(chunk: int | None, backward: bool) -> Workload:
    """Build the whole mixer on one sequence: ours, or that of transformers with our weights."""
    torch.manual_seed(0)
    ours = Mamba2Mixer(CONFIG)
    torch.nn.init.normal_(ours.out_proj.weight, std=0.02)
    x = torch.randn(1, TOKENS, CONFIG.width)
    if chunk is None:
        learned: list[Tensor] = [weight for name, weight in ours.named_parameters() if name != "time_rate"]
        return _workload(partial(_first, ours), [x], learned, backward)
    theirs = _their_mixer(ours, chunk)
    return _workload(theirs, [x], list(theirs.parameters()), backward)


def _first(mixer: Mamba2Mixer, x: Tensor) -> Tensor:
    y: Tensor = mixer(x)[0]
    return y


def _their_mixer(ours: Mamba2Mixer, chunk: int) -> torch.nn.Module:
    from transformers import Mamba2Config
    from transformers.models.mamba2.modeling_mamba2 import Mamba2Mixer as TheirMixer

    sizes = {"hidden_size": CONFIG.width, "state_size": CONFIG.state_width, "head_dim": CONFIG.head_width}
    sizes |= {"num_heads": HEADS, "expand": CONFIG.expand, "conv_kernel": CONFIG.conv_kernel, "chunk_size": chunk}
    theirs: torch.nn.Module = TheirMixer(Mamba2Config(**sizes, n_groups=1, num_hidden_layers=1), layer_idx=0)
    theirs.load_state_dict({name: weight for name, weight in ours.state_dict().items() if name != "time_rate"})
    return theirs


def build_length(tokens: int) -> Workload:
    """Build one call over a long sequence of one repeated token, in bfloat16 with sums in float32."""
    torch.manual_seed(0)
    x = torch.randn(1, 1, HEADS, CONFIG.head_width, dtype=torch.bfloat16).expand(1, tokens, -1, -1)
    step, *groups = (torch.rand(1, 1, width) for width in (HEADS, CONFIG.state_width, CONFIG.state_width))
    decay, step, b, c = (one.expand(1, tokens, -1) for one in (-0.01 * step, step, *groups))
    run = torch.no_grad()(partial(scan, x, decay, step, b, c, None, CONFIG.chunk))
    return Workload(run, {"tokens": tokens, "output_bytes": x.numel() * x.element_size()})


def contenders() -> list[list[Contender]]:
    """Return the groups that are compared; ours is first in each."""
    groups = []
    for part, build in (("scan", build_scan), ("mixer", build_mixer)):
        for backward in (False, True):
            name = f"{part}, {'forward and backward' if backward else 'forward'}"
            mine = Contender(f"{name}: ours", partial(build, None, backward), TOKENS)
            theirs = [
                Contender(f"{name}: transformers, chunks of {chunk}", partial(build, chunk, backward), TOKENS)
                for chunk in CHUNKS
            ]
            groups.append([mine, *theirs])
    return groups


def show(measurements: list[Measurement], ratios: dict[str, dict[str, float]]) -> None:
    """Print CPU microseconds per token, and the ratio to the baseline."""
    for one in measurements:
        print(
            f"{one.name:60} {1e6 * one.cpu_seconds:8.1f} us CPU per token, x {ratios[one.name]['cpu']:6.2f}, "
            f"peak {one.peak_rss_bytes / 2**20:.0f} MiB, before {one.rss_before_build_bytes / 2**20:.0f} MiB"
        )


def main() -> None:
    """Measure the comparison, then by length; print and write both."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.scan", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--out-lengths", type=Path, default=RESULT_LENGTHS)
    options = parser.parse_args()
    if options.lengths != LENGTHS:
        keep_result(parser, options.out_lengths, RESULT_LENGTHS, f"--lengths {options.lengths}")
    outs = ("out", "out_lengths")
    facts = {
        "command": command(parser, options),
        "conditions": {key: value for key, value in vars(options).items() if key not in outs},
    }
    groups = [compare(group, options.rounds, threads=options.threads) for group in contenders()]
    sided = [one for group in groups for one in group]
    show(sided, report(options.out, sided, sided[0].name, **facts))
    by_length = [Contender(f"{tokens:,} tokens", partial(build_length, tokens), tokens) for tokens in options.lengths]
    long = [compare([one], 1, threads=options.threads)[0] for one in by_length]
    show(long, report(options.out_lengths, long, long[0].name, **facts))


if __name__ == "__main__":
    main()
