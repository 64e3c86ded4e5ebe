"""Time, memory and operations per frame: STAB against the vision encoders of other video language models.

    python -m benchmarks.stab --rounds 7                      # all contenders, about 10 minutes on 2 cores
    python -m benchmarks.stab --only stab --out stab.json     # only STAB: fast and plain form, float32 and bfloat16
    python -m benchmarks.stab --device cuda --frames 32

Encoders have their published architecture and frame size, with random weights; nothing is downloaded. All encode
`--frames` frames at once. What follows an encoder (projector, token merging) is not timed.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import Contender, Measurement, Workload, command, compare, keep_result, report
from longpanda.model.configuration import StabConfig
from longpanda.model.stab import Stab
from longpanda.model.stab_reference import reference_forward

RESULTS = Path(__file__).parent / "results"
BASELINE = "stab paper fast float32"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

CPU_ATTENTION = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
"""The attention operator on a CPU; PyTorch's FLOP counter only knows those of other devices."""


def _attention_flops(query: torch.Size, key: torch.Size, value: torch.Size, *_: object, **__: object) -> int:
    """Count the operations of scores and weighted sums, from shapes [B, heads, L, width]."""
    batch, heads, length, width = query
    return 2 * batch * heads * length * key[2] * (width + value[3])


def _workload(module: nn.Module, run: Callable[[], object], frames: int, tokens: int) -> Workload:
    """Return a run without gradients, with its number of parameters and its operations per frame."""
    guarded = torch.no_grad()(run)
    with FlopCounterMode(display=False, custom_mapping={CPU_ATTENTION: _attention_flops}) as counter:
        guarded()
    parameters = sum(parameter.numel() for parameter in module.parameters())
    facts = {"parameters": parameters, "flops_per_frame": counter.get_total_flops() / frames}
    return Workload(guarded, facts | {"tokens_per_frame": tokens})


def build_stab(config: StabConfig, plain: bool, frames: int, dtype: str, device: str) -> Workload:
    """Build STAB, on full square frames in windows of 4."""
    torch.manual_seed(0)
    stab = Stab(config).eval().to(device, DTYPES[dtype])
    side = config.image_px // config.patch_px
    pixels = torch.randn(frames, 3, config.image_px, config.image_px, device=device, dtype=DTYPES[dtype])
    boxes = torch.tensor([[0, side, 0, side]] * frames, device=device)
    windows = torch.arange(frames, device=device).view(-1, config.window_frames)
    run = partial(reference_forward, stab, pixels, boxes, windows) if plain else partial(stab, pixels, boxes, windows)
    return _workload(stab, run, frames, config.tokens_per_frame(side // 2, side // 2))


def build_clip(frames: int, dtype: str, device: str) -> Workload:
    """Build CLIP ViT-L/14 at 336 px (LLaVA-1.5 and many video models)."""
    from transformers import CLIPVisionConfig, CLIPVisionModel

    sizes = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
    module = CLIPVisionModel(CLIPVisionConfig(**sizes, image_size=336, patch_size=14)).eval().to(device, DTYPES[dtype])
    pixels = torch.randn(frames, 3, 336, 336, device=device, dtype=DTYPES[dtype])
    return _workload(module, partial(module, pixel_values=pixels), frames, 24**2)


def build_siglip(frames: int, dtype: str, device: str) -> Workload:
    """Build SigLIP so400m/14 at 384 px (LLaVA-OneVision, LLaVA-Video), without the pooling head that they drop."""
    from transformers import SiglipVisionConfig, SiglipVisionModel

    sizes = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16}
    config = SiglipVisionConfig(**sizes, image_size=384, patch_size=14, vision_use_head=False)
    module = SiglipVisionModel(config).eval().to(device, DTYPES[dtype])
    pixels = torch.randn(frames, 3, 384, 384, device=device, dtype=DTYPES[dtype])
    return _workload(module, partial(module, pixel_values=pixels), frames, 27**2)


def build_qwen(frames: int, dtype: str, device: str) -> Workload:
    """Build the vision tower of Qwen2.5-VL-7B at 448 px: window attention, two frames per patch, with its merger."""
    from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLVisionConfig
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VisionTransformerPretrainedModel

    sizes = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 3584}
    module = Qwen2_5_VisionTransformerPretrainedModel(Qwen2_5_VLVisionConfig(**sizes)).eval().to(device, DTYPES[dtype])
    grid = torch.tensor([[frames // 2, 32, 32]], device=device)
    patches: Tensor = torch.randn(frames // 2 * 32**2, 3 * 2 * 14**2, device=device, dtype=DTYPES[dtype])
    return _workload(module, partial(module, patches, grid_thw=grid), frames, 16**2 // 2)


def contenders(frames: int, device: str, dtypes: list[str]) -> list[Contender]:
    """Return all contenders, the forms of STAB first."""
    stabs = {
        "stab paper fast": partial(build_stab, StabConfig.paper(), False),
        "stab paper plain": partial(build_stab, StabConfig.paper(), True),
        "stab base fast": partial(build_stab, StabConfig.of_size("base"), False),
    }
    encoders = {"clip-l/336": build_clip, "siglip-so400m/384": build_siglip, "qwen2.5-vl tower/448": build_qwen}
    return [
        Contender(f"{name} {dtype}", partial(build, frames, dtype, device), frames)
        for dtype in dtypes
        for name, build in (stabs | encoders).items()
    ]


def show(measurements: list[Measurement], ratios: dict[str, dict[str, float]]) -> None:
    """Print a table with one row per contender; figures are per frame."""
    print(f"{'':36} {'wall ms':>9} {'CPU ms':>9} {'x CPU':>6} {'GFLOP':>7} {'M params':>9} {'peak GiB':>9}")
    for one in measurements:
        peak = (one.peak_device_bytes or one.peak_rss_bytes) / 2**30
        print(
            f"{one.name:36} {1e3 * one.wall_seconds:9.1f} {1e3 * one.cpu_seconds:9.1f} {ratios[one.name]['cpu']:6.2f}"
            f" {one.facts['flops_per_frame'] / 1e9:7.1f} {one.facts['parameters'] / 1e6:9.1f} {peak:9.2f}"
        )


def main() -> None:
    """Measure, print a table, write benchmarks/results/stab_<device>.json."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.stab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--frames", type=int, default=4, help="frames at once, a multiple of 4")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtypes", nargs="+", choices=list(DTYPES), default=list(DTYPES))
    parser.add_argument("--only", default="", help="only contenders whose name begins with this; needs --out")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    result = RESULTS / f"stab_{options.device}.json"
    out = options.out or result
    if options.only:
        keep_result(parser, out, result, f"--only '{options.only}'")
    chosen = [
        one
        for one in contenders(options.frames, options.device, options.dtypes)
        if one.name.startswith(options.only) or one.name == BASELINE
    ]
    baseline = chosen[0].name if BASELINE not in [one.name for one in chosen] else BASELINE
    measurements = compare(chosen, options.rounds, options.device, options.threads)
    conditions = {key: value for key, value in vars(options).items() if key != "out"}
    ran = command(parser, options)
    show(measurements, report(out, measurements, baseline, command=ran, conditions=conditions))


if __name__ == "__main__":
    main()
