"""CLIBD: the memory of a large batch whose gradients are cached, beside that of a small one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import measure
from contrastive import TOWERS
from material import SEED, Bench
from records import Bar, Figure


TITLE = "Large batches (CLIBD)"
LARGE, PIECE = 4096, 256
MEMORY = (
    "peak PSS of the process while a step is taken, less its PSS before it; ViT of 4 layers at 64 pixels, BERTs of "
    "two layers, fp32"
)
WHY = (
    "what torch has freed stays in fragments of the heap, as the rows below show; computing cosines again for their "
    "gradients instead of keeping them, as is done now, changed nothing (1.18 × before)"
)
ALLOCATORS = {
    "": {},
    ", freed memory given back": {"MALLOC_MMAP_THRESHOLD_": "131072"},
}
"""Ways of glibc; by default it keeps blocks of up to 32 MB that were freed."""


def run(bench: Bench) -> Iterator[Figure]:
    """Take a step over each, in a process of its own."""
    small = bench.rows < 100_000  # a quick run
    size, piece = (64, 16) if small else (LARGE, PIECE)
    for way, env in ALLOCATORS.items():
        peaks = []
        for name, whole in {f"{piece:,} specimens at once": piece, f"{size:,} in pieces of {piece:,}": size}.items():
            given = {"size": whole, "piece": piece}
            ran = measure.call("large_batches:step_memory", home=bench.home, memory=True, env=env, **given)
            peaks.append((ran.peak - ran.result) / 1e9)
            yield Figure(f"memory: {name}{way}", "GB", peaks[-1:], note=MEMORY)
        why = "" if way else WHY
        share = [peaks[1] / peaks[0]]
        yield Figure(f"memory: {size:,} ÷ {piece:,} specimens{way}", "×", share, Bar("<=", 1.1), why=why)


def step_memory(size: int, piece: int) -> int:
    """Take a step over a batch of random specimens, in pieces; give the memory before it, in bytes."""
    import torch
    from accelerate import Accelerator

    from bioscan5m_hf.learning.command import Watching
    from bioscan5m_hf.learning.contrastive import ContrastiveRecipe
    from bioscan5m_hf.learning.contrastive_run import ContrastiveRun, Step
    from bioscan5m_hf.learning.shown import Shown
    from bioscan5m_hf.models.clibd.export_clibd import make_processor
    from bioscan5m_hf.models.clibd.towers_clibd import build

    torch.manual_seed(SEED)
    shape = {"img_size": 64, "patch_size": 8, "depth": 4, "embed_dim": 192, "num_heads": 3}
    model, tokenizer = build(
        TOWERS | {"image_config": TOWERS["image_config"] | {"model_args": shape}}, {}, ["Diptera"]
    )
    shown = Shown(make_processor(model.config, tokenizer), model.config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    recipe = ContrastiveRecipe(batch_size=size, micro_batch_size=piece, precision="fp32")
    accelerator = Accelerator(cpu=True)
    parts = Path("."), recipe, Watching(), accelerator, *accelerator.prepare(model, optimizer), 1, 1, ""
    run = ContrastiveRun(*parts, None, shown, model.config)  # type: ignore[arg-type]

    def batch(count: int) -> Any:
        return {
            "pixel_values": torch.randint(0, 256, (count, 64, 64, 3), dtype=torch.uint8),
            "dna_input_ids": torch.randint(3, 1027, (count, 132)),
            "input_ids": torch.randint(5, 20, (count, 8)),
        }

    run.learn(Step(0, batch(2), ["", ""]))  # the optimiser's state is there
    given = batch(size)
    before = measure.pss()
    run.learn(Step(0, given, [""] * size))
    return before
