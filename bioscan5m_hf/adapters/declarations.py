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
        modality: `dna`, `image`, or several.
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

_BASELINES = "https://github.com/bioscan-ml/BarcodeBERT (baselines/embedders.py, baselines/datasets.py)"
_FILLED = (
    "preprocessing=paper: barcodes filled with N to 660 bases, then with padding to 512 ids, all attended to; mean "
    "over all ids but 1, which is {one}"
)
_RANDOM = "the trained weights were not at hand: only random ones of the published names and shapes were computed with"
_AGREES = f"{_RANDOM}; states agree with those of MultiMolecule 0.2.2 to 3e-6"

DNABERT = Adapter(
    name="DNABERT-2",
    modality="dna",
    models=MappingProxyType(
        {
            "zhihan1996/DNABERT-2-117M": ("genomes of 135 species",),
            "zhihan1996/DNABERT-S": ("genomes of 135 species", "genomes of viruses, fungi and bacteria"),
        }
    ),
    pooling="mean over the tokens, special ones among them, as the models' cards do",
    special_tokens="`[CLS]` before and `[SEP]` behind; both count",
    padding="`[PAD]` on the right, masked",
    max_length="512 tokens of byte pairs",
    implementation="`adapters.mosaic_bert`, own, in plain PyTorch (transformers has no such architecture)",
    sources=(
        "https://github.com/MAGICS-LAB/DNABERT_2",
        "https://github.com/MAGICS-LAB/DNABERT_S",
        "https://github.com/mosaicml/examples (benchmarks/bert)",
        _BASELINES,
        "arXiv 2306.15006",
        "arXiv 2402.08777",
    ),
    published_rule=_FILLED.format(one="`[CLS]` here; `[PAD]` (3) counts"),
    unverified=_AGREES,
)

HYENA = Adapter(
    name="HyenaDNA",
    modality="dna",
    models=MappingProxyType(
        {
            "LongSafari/hyenadna-tiny-1k-seqlen-hf": ("human genome",),
            "LongSafari/hyenadna-small-32k-seqlen-hf": ("human genome",),
            "LongSafari/hyenadna-medium-160k-seqlen-hf": ("human genome",),
            "LongSafari/hyenadna-medium-450k-seqlen-hf": ("human genome",),
            "LongSafari/hyenadna-large-1m-seqlen-hf": ("human genome",),
        }
    ),
    pooling="mean over the bases",
    special_tokens="none: `[SEP]` would come last, where it changes nothing, and the baselines did not count it",
    padding="on the right, where a model that sees only what came before does not see it; not counted",
    max_length="as many bases as the model was trained with (`max_seq_len`)",
    implementation="`adapters.hyena`, own, in plain PyTorch (transformers has no such architecture)",
    sources=(
        "https://github.com/HazyResearch/hyena-dna",
        "https://github.com/HazyResearch/safari",
        _BASELINES,
        "arXiv 2306.15794",
    ),
    published_rule=_FILLED.format(one="`[SEP]` here"),
    unverified=_AGREES,
)

NUCLEOTIDE_TRANSFORMER = Adapter(
    name="Nucleotide Transformer",
    modality="dna",
    models=MappingProxyType(
        {
            "InstaDeepAI/nucleotide-transformer-v2-50m-multi-species": ("genomes of 850 species",),
            "InstaDeepAI/nucleotide-transformer-v2-100m-multi-species": ("genomes of 850 species",),
            "InstaDeepAI/nucleotide-transformer-v2-250m-multi-species": ("genomes of 850 species",),
            "InstaDeepAI/nucleotide-transformer-v2-500m-multi-species": ("genomes of 850 species",),
            "InstaDeepAI/nucleotide-transformer-500m-human-ref": ("human genome",),
            "InstaDeepAI/nucleotide-transformer-500m-1000g": ("3,202 human genomes",),
        }
    ),
    pooling="mean over the tokens, `<cls>` among them, as the models' cards do",
    special_tokens="`<cls>` before; it counts",
    padding="`<pad>` on the right, masked",
    max_length="2,048 tokens of six bases, or single letters at an N and at the end (first version: 1,000)",
    implementation="`EsmModel` of transformers; gated feed-forward layers of the second version in "
    "`adapters.nucleotide_transformer`",
    sources=(
        "https://github.com/instadeepai/nucleotide-transformer",
        _BASELINES,
        "doi 10.1038/s41592-024-02523-z",
    ),
    published_rule=_FILLED.format(one="`<pad>` here"),
    unverified=_RANDOM,
)

CNN = Adapter(
    name="BarcodeCNN",
    modality="dna",
    models=MappingProxyType({REFERENCE: ()}),
    pooling="the layer of 500 features, before its hyperbolic tangent",
    special_tokens="none",
    padding="one-hot rows of zeros up to 660 bases, which are part of what the network sees",
    max_length="660 bases",
    implementation="`models.barcode_cnn`; `reference:cnn-untrained` has weights drawn from seed 0",
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
    "to the model's size, middle square, ImageNet's mean and deviation (a CLIP's own)",
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

CLIBD = Adapter(
    name="CLIBD",
    modality="image, dna, text",
    models=MappingProxyType({"bioscan-ml/clibd, converted": ("pretrain", "train")}),
    pooling="the projection into the common space, of length 1",
    special_tokens="those of the processor that lies beside the weights",
    padding="attention mask; in published weights Ns and padding are attended, as they were trained",
    max_length="660 bases; 32 tokens of a text (published weights: 20); photographs as the processor says",
    implementation="`models.clibd`; published weights after `bioscan5m convert clibd`",
    sources=("https://github.com/bioscan-ml/clibd", "arXiv 2405.17537"),
)

ADAPTERS: tuple[Adapter, ...] = (
    BARCODEBERT,
    DNABERT,
    HYENA,
    NUCLEOTIDE_TRANSFORMER,
    CNN,
    TIMM,
    OPEN_CLIP,
    CLIBD,
)
"""All families, in the order of the table."""
