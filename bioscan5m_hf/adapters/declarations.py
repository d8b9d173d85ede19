"""The families of models that can be evaluated: where they are, how they are read, and where each fact is from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


UNDECLARED = ("not declared",)
"""What a model was pretrained on, where neither it nor its adapter says."""


@dataclass(frozen=True)
class Adapter:
    """One family of models.

    Args:
        name: it is called in settings and tables.
        modality: `dna` or `image`.
        models: ids on the Hub → data that the model was pretrained on. Others of the family can be named as well.
        pooling: how the states of all positions become one vector.
        special_tokens: which are put around a sequence, and whether they count in the vector.
        padding: what fills a batch, and why it does not leak.
        max_length: what is read of a sequence, or how an image is brought to size.
        implementation: whose code computes it. No code of a repository is run.
        sources: where these facts are from.
        published_rule: how the papers of the benchmark used it, where they did otherwise.
        unverified: what could not be checked, because no trained weights were at hand.
    """

    name: str
    modality: str
    models: Mapping[str, tuple[str, ...]]
    pooling: str
    special_tokens: str
    padding: str
    max_length: str
    implementation: str
    sources: tuple[str, ...]
    published_rule: str = ""
    unverified: str = ""

    def pretrained_on(self, *names: str) -> tuple[str, ...]:
        """Give the data that a model was pretrained on, which goes by one of these names."""
        return next((self.models[name] for name in names if name in self.models), UNDECLARED)

    @property
    def settings(self) -> dict[str, str]:
        """What a record keeps of the family."""
        said = ("pooling", "special_tokens", "padding", "max_length", "implementation")
        return {"adapter": self.name} | {fact: getattr(self, fact) for fact in said}


REFERENCE = "reference:cnn-untrained"
"""Names the convolutional baseline with weights drawn from seed 0."""

BARCODEBERT = Adapter(
    name="BarcodeBERT",
    modality="dna",
    models=MappingProxyType({"bioscan-ml/BarcodeBERT": ("CANADA-1.5M",)}),
    pooling="mean over the k-mers of the barcode",
    special_tokens="none",
    padding="masked; a batch holds barcodes of about one length",
    max_length="660 bases, or as many k-mers as the model has positions",
    implementation="`BertModel` of transformers through `embedding.BarcodeEncoder`",
    sources=("https://github.com/bioscan-ml/BarcodeBERT (barcodebert/datasets.py)", "arXiv 2311.02401"),
    published_rule="fine-tuning took the mean over all positions, those of the padding among them",
)

UNTRAINED_CNN = Adapter(
    name="untrained CNN",
    modality="dna",
    models=MappingProxyType({REFERENCE: ()}),
    pooling="the layer of 500 features, before its hyperbolic tangent",
    special_tokens="none",
    padding="one-hot rows of zeros up to 660 bases, which are part of what the network sees",
    max_length="660 bases",
    implementation="`models.barcode_cnn` with weights drawn from seed 0",
    sources=("https://github.com/bioscan-ml/BarcodeBERT (baselines/cnn)", "arXiv 2311.02401"),
    published_rule="trained for 20 epochs on the labels of `train`",
)

TIMM = Adapter(
    name="timm",
    modality="image",
    models=MappingProxyType(
        {
            "timm/vit_base_patch16_224.dino": ("ImageNet-1k, images only",),
            "timm/vit_base_patch16_224.mae": ("ImageNet-1k, images only",),
            "timm/vit_base_patch16_224.augreg2_in21k_ft_in1k": ("ImageNet-21k", "ImageNet-1k"),
            "timm/resnet50.tv2_in1k": ("ImageNet-1k",),
        }
    ),
    pooling="the architecture's own before its classifier: the class token of a ViT, the mean of a ResNet's map",
    special_tokens="a ViT's class token",
    padding="none",
    max_length="size, crop, mean and deviation of the model's own configuration; `preprocessing=paper`: shorter side "
    "to 224, middle square, ImageNet's mean and deviation",
    implementation="timm",
    sources=("https://github.com/scottclowe/zs-ssl-clustering (branch BIOSCAN-5M)", "arXiv 2406.12723"),
    published_rule="preprocessing=paper",
    unverified="the interpolation of the paper's resizing; the model's own is used",
)

OPEN_CLIP = Adapter(
    name="open_clip",
    modality="image",
    models=MappingProxyType(
        {
            "open_clip:ViT-B-16/openai": ("WebImageText-400M",),
            "open_clip:RN50/openai": ("WebImageText-400M",),
            "imageomics/bioclip": ("TreeOfLife-10M, which holds BIOSCAN-1M",),
        }
    ),
    pooling="the image tower's projection, not scaled to length 1",
    special_tokens="a ViT's class token",
    padding="none",
    max_length="shorter side to size, middle square, mean and deviation of the model's own configuration",
    implementation="open_clip",
    sources=("https://github.com/mlfoundations/open_clip", "arXiv 2103.00020", "arXiv 2311.18803"),
)

ADAPTERS: tuple[Adapter, ...] = (BARCODEBERT, UNTRAINED_CNN, TIMM, OPEN_CLIP)
"""All families, in the order of the table."""
