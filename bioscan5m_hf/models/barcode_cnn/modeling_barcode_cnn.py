"""A small convolutional network over one-hot barcodes: what BarcodeBERT is compared with.

Three blocks of convolution, ReLU, batch norm and pooling by 3 along the barcode, then a layer of 500 features and one
of classes (Millan Arias et al. 2023, arXiv 2311.02401, after Badirli et al. 2021). The authors train it for 20 epochs
by Adam on batches of 128 and take the 500 features before their hyperbolic tangent as the embedding.
"""

from collections.abc import Sequence

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn


LETTERS = "ACGTN"
"""Columns of the input; other letters are read as N, lower case and U as their base."""

POOLED = 3
"""Bases that a pooling layer makes one of."""


def one_hot(barcodes: Sequence[str | None], max_nucleotides: int = 660) -> Tensor:
    """Write barcodes as pictures of one channel.

    Args:
        barcodes: sequences; None is an empty one.
        max_nucleotides: bases that are read; a shorter barcode ends in empty rows.

    Returns:
        `(n, 1, max_nucleotides, 5)`, float32, one column for each of `ACGTN`.

    Examples:
        >>> one_hot(["aU", "G?", None], max_nucleotides=3)[:, 0].argmax(-1).tolist()
        [[0, 3, 0], [2, 4, 0], [0, 0, 0]]
    """
    text = [(barcode or "")[:max_nucleotides].encode("ascii", "replace") for barcode in barcodes]
    joined = bytearray(b"".join(line.ljust(max_nucleotides, b"\0") for line in text) or b"\0")
    columns = _columns()[torch.frombuffer(joined, dtype=torch.uint8).long()]
    columns = columns[: len(text) * max_nucleotides].view(len(text), 1, max_nucleotides)
    return nn.functional.one_hot(columns, len(LETTERS) + 1)[..., : len(LETTERS)].float()


def _columns() -> Tensor:
    """Give the column of each byte; the byte 0 stands for no letter."""
    columns = torch.full((256,), LETTERS.index("N"))
    for index, letter in enumerate(LETTERS):
        columns[ord(letter)] = columns[ord(letter.lower())] = index
    columns[ord("U")] = columns[ord("u")] = LETTERS.index("T")
    columns[0] = len(LETTERS)
    return columns


class BarcodeCNN(  # type: ignore[call-arg]
    nn.Module,
    PyTorchModelHubMixin,  # type: ignore[misc]
    library_name="bioscan5m-hf",
    tags=["biology", "dna-barcode"],
):
    """The convolutional baseline; `save_pretrained`, `from_pretrained` and `push_to_hub` come from the Hub's mixin.

    Args:
        labels: names of the classes.
        rank: what they are names of.
        max_nucleotides: bases that are read, 27 or more.
        channels: of the three convolutions.
        features: width of the embedding.
        kernel_width: columns that a convolution spans. 1 treats the letters apart, as the authors' current code does;
            3 spans neighbouring letters as well, as that of the BIOSCAN-5M paper did.

    Raises:
        ValueError: no classes, a barcode too short for three poolings, another kernel width.

    Examples:
        >>> model = BarcodeCNN(labels=["Diptera", "Hymenoptera"])
        >>> model(one_hot(["ACGT", "GGTA"])).shape, model.features(one_hot(["ACGT", "GGTA"])).shape
        (torch.Size([2, 2]), torch.Size([2, 500]))
    """

    def __init__(
        self,
        labels: list[str],
        rank: str = "species",
        max_nucleotides: int = 660,
        channels: Sequence[int] = (64, 32, 16),
        features: int = 500,
        kernel_width: int = 1,
    ) -> None:
        super().__init__()
        shortest = POOLED ** len(channels)
        if not labels or len(set(labels)) != len(labels):
            raise ValueError(f"labels must be distinct names, at least one; got {len(labels)}")
        if max_nucleotides < shortest:
            raise ValueError(f"max_nucleotides must be {shortest} or more, got {max_nucleotides}")
        if kernel_width not in (1, 3):
            raise ValueError(f"kernel_width must be 1 or 3, got {kernel_width}")
        self.labels, self.rank, self.max_nucleotides = list(labels), rank, max_nucleotides
        blocks: list[nn.Module] = []
        rows = max_nucleotides
        for before, after in zip((1, *channels), channels, strict=False):
            padding = (1, kernel_width // 2)
            blocks += [nn.Conv2d(before, after, (3, kernel_width), padding=padding), nn.ReLU(), nn.BatchNorm2d(after)]
            blocks += [nn.MaxPool2d((POOLED, 1))]
            rows //= POOLED
        flat = channels[-1] * rows * len(LETTERS)
        self.blocks = nn.Sequential(*blocks)
        self.projection = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(flat), nn.Linear(flat, features))
        self.classifier = nn.Linear(features, len(labels))

    def features(self, pictures: Tensor) -> Tensor:
        """Give embeddings, `(n, features)`, of barcodes as `one_hot` writes them."""
        embedded: Tensor = self.projection(self.blocks(pictures))
        return embedded

    def forward(self, pictures: Tensor) -> Tensor:
        """Score the classes, `(n, classes)`, of barcodes as `one_hot` writes them."""
        logits: Tensor = self.classifier(self.features(pictures).tanh())
        return logits

    @torch.inference_mode()
    def embed(self, barcodes: Sequence[str | None], batch_size: int = 512) -> Tensor:
        """Give embeddings, `(n, features)`, float32 on the processor; the model's mode is kept, use `eval()`."""
        weight = self.classifier.weight
        parts = [weight.new_zeros(0, weight.shape[1]).cpu()]
        for start in range(0, len(barcodes), batch_size):
            pictures = one_hot(barcodes[start : start + batch_size], self.max_nucleotides)
            parts.append(self.features(pictures.to(weight)).float().cpu())
        return torch.cat(parts)
