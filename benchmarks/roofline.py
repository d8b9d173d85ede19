"""What a pretraining step can reach on a GPU at most: bytes and operations of its kernels, counted without a GPU.

The step runs on tensors without data ("meta"), with the casts of torch's autocast on CUDA. A kernel takes at least the
time of its multiplications at the card's peak, or of its bytes at the memory's speed, whichever is longer (roofline
model: Williams, Waterman and Patterson 2009, doi:10.1145/1498765.1498785); the sum over all kernels is the least time
of a step that is not compiled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gpu
import torch
from material import SEED, Bench
from records import Figure
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertForMaskedLM, packed_positions


TITLE = "The most that a pretraining step can reach on an H200 (counted, not run)"
MEMORY = 4.8e12
"""Bytes a second, from the vendor's data sheet of the H200."""

WAYS: Mapping[str, dict[str, Any]] = {
    "as it is": {},
    "residuals in bf16": {"norms": torch.bfloat16},
    "without dropout": {"dropout": 0.0},
    "residuals in bf16, without dropout": {"norms": torch.bfloat16, "dropout": 0.0},
}
NOTE = (
    f"{gpu.BOTH_WAYS} barcodes of {gpu.BASES} bases, not compiled: least time of each kernel by 989 TFLOP/s of dense "
    "bf16 or 4.8 TB/s; utilisation as in the row that was run"
)
NORMS = "LayerNorm gives bf16, where autocast on CUDA lets it give fp32, and every later sum and cast with it"
_FREE = {
    *("view", "_unsafe_view", "t", "transpose", "permute", "expand", "unsqueeze", "squeeze", "slice", "select"),
    *("detach", "alias", "as_strided", "unbind", "split", "empty", "empty_like", "new_empty"),
}
_OPTIMIZER_PASSES = 7
"""Of AdamW in one kernel: reads weight, gradient and two moments, writes weight and moments, fp32."""


def run(bench: Bench) -> Iterator[Figure]:
    """Count the kernels of steps of three sizes, as they are and in ways that could be tried."""
    for model in gpu.MODELS:
        tokens = gpu.BOTH_WAYS * (gpu.BASES // gpu.MODELS[model]["kmer_size"])
        for way, changes in WAYS.items():
            count = count_step(model, **changes)
            reached = gpu.operations(model) * tokens / gpu.PEAK["H200"] / count.seconds
            note = f"{NOTE}; {NORMS}" if "norms" in changes else NOTE
            yield Figure(f"{model}, {way}: model FLOP utilisation at most", "of peak", [reached], note=note)
            if not changes:
                share = count.outside / count.seconds
                yield Figure(f"{model}, {way}: share of the time outside of products", "of the step", [share])


class Count(TorchDispatchMode):
    """Adds up what the kernels called under it need at least.

    Args:
        peak: operations a second.
        memory: bytes a second.
    """

    def __init__(self, peak: float = gpu.PEAK["H200"], memory: float = MEMORY) -> None:
        super().__init__()
        self.peak, self.memory = peak, memory
        self.operations = 0
        self.outside = 0.0
        self.times: Counter[str] = Counter()

    @property
    def seconds(self) -> float:
        """The least time of all kernels, one after the other."""
        return sum(self.times.values())

    def add(self, kernel: str, size: int, operations: int = 0) -> None:
        """Count a kernel.

        Args:
            kernel: its name.
            size: bytes that it reads and writes.
            operations: multiplications and additions in matrix products.
        """
        least = max(size / self.memory, operations / self.peak)
        self.times[kernel] += least
        self.operations += operations
        self.outside += 0.0 if operations else least

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        name = func._schema.name.removeprefix("aten::")
        if name not in _FREE:
            tensors = [leaf for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, Tensor)]
            rule = flop_registry.get(func.overloadpacket)
            operations = rule(*args, **kwargs, out_val=out) if rule else 0
            self.add(name, sum(leaf.numel() * leaf.element_size() for leaf in tensors), operations)
        return out


class CudaCasts(TorchFunctionMode):
    """Casts as autocast does on CUDA, where there is none, and counts attention and dropout as one kernel each.

    Args:
        count: what counts.
        norms: what LayerNorm gives.
    """

    def __init__(self, count: Count, norms: torch.dtype) -> None:
        super().__init__()
        self.count, self.norms = count, norms

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is functional.linear:
            return func(*_cast(args, torch.bfloat16))
        if func is functional.layer_norm:
            return func(*_cast(args, self.norms), **dict(zip(kwargs, _cast(kwargs.values(), self.norms), strict=True)))
        if func is functional.scaled_dot_product_attention:
            return _Attention.apply(self.count, *args[:3])
        if func is functional.dropout:
            return _Dropout.apply(self.count, args[0]) if kwargs["p"] else args[0]
        return func(*args, **kwargs)


class _Attention(torch.autograd.Function):
    """Tensors and products of flash attention: two forward, five backward (Dao et al. 2022, arXiv 2205.14135)."""

    @staticmethod
    def forward(ctx: Any, count: Count, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        ctx.count = count
        count.add("flash attention", 4 * _bytes(query), 2 * _product(query))
        return query.new_empty(query.shape)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor, Tensor, Tensor]:
        ctx.count.add("flash attention backward", 8 * _bytes(grads[0]), 5 * _product(grads[0]))
        query, key, value = (grads[0].new_empty(grads[0].shape) for _ in range(3))
        return None, query, key, value


class _Dropout(torch.autograd.Function):
    """CUDA's dropout: one kernel that writes a mask of bytes, too, and one backward that reads it."""

    @staticmethod
    def forward(ctx: Any, count: Count, given: Tensor) -> Tensor:
        ctx.count = count
        count.add("dropout", 2 * _bytes(given) + given.numel())
        return given.new_empty(given.shape)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor]:
        ctx.count.add("dropout backward", 2 * _bytes(grads[0]) + grads[0].numel())
        return None, grads[0].new_empty(grads[0].shape)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _product(heads: Tensor) -> int:
    return 2 * heads.numel() * heads.shape[-2]


def _cast(values: Any, dtype: torch.dtype) -> list[Any]:
    return [value.to(dtype) if isinstance(value, Tensor) else value for value in values]


def count_step(model: str, norms: torch.dtype = torch.float32, dropout: float | None = None) -> Count:
    """Count the kernels of a step: forward, backward, optimizer.

    Args:
        model: of `gpu.MODELS`.
        norms: what LayerNorm gives.
        dropout: instead of the configuration's.
    """
    torch.manual_seed(SEED)
    length = gpu.BASES // gpu.MODELS[model]["kmer_size"]
    changed = {} if dropout is None else {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    hidden = torch.rand(gpu.BOTH_WAYS, length).argsort(1).argsort(1) < length * gpu.RATIO
    places = packed_positions(hidden, 8).to("meta")
    with torch.device("meta"):
        net = BarcodeBertForMaskedLM(BarcodeBertConfig(**gpu.MODELS[model], **changed)).train()
        tokens = torch.zeros(gpu.BOTH_WAYS, length, dtype=torch.long)
        labels = torch.zeros_like(tokens)
    with Count() as count:
        with CudaCasts(count, norms):
            loss = net(tokens, labels=labels, predicted=places).loss
        loss.backward()
    count.add("AdamW", _OPTIMIZER_PASSES * sum(map(_bytes, net.parameters())))
    return count
