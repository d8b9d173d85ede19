"""Configuration of BarcodeBERT: BERT's, and what a vocabulary of k-mers adds to it."""

import difflib
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple

from huggingface_hub.dataclasses import strict
from transformers import BertConfig


class TokenLayout(NamedTuple):
    """Ids that are no k-mers; the k-mers follow from `first` in the order of `itertools.product("ACGT", repeat=k)`."""

    pad: int
    unknown: int
    mask: int
    first: int


TOKEN_LAYOUTS = {"original": TokenLayout(1, 1, 0, 2), "standard": TokenLayout(0, 1, 2, 3)}
"""`original`: bioscan-ml/BarcodeBERT since mid-2024 (padding is `[UNK]`); `standard`: everything trained here."""

KMER_SIZES = range(2, 9)

MET_IN_FILES = {
    "attn_implementation",
    "auto_map",
    "experts_implementation",
    "gradient_checkpointing",
    "model_type",
    "name_or_path",
    "num_labels",
    "output_attentions",
    "position_embedding_type",
    "quantization_config",
    "torch_dtype",
}
"""Keys that transformers itself writes or passes on beside the declared fields."""


@strict
class BarcodeBertConfig(BertConfig):
    """BERT over k-mers of a barcode.

    Fields of BERT keep their names and defaults (`hidden_size` 768, `num_hidden_layers` 12, …). An unknown keyword
    is an error, and so is a vocabulary that is not the one of `kmer_size` and `token_layout`.

    Args:
        kmer_size: letters of a token, 2 to 8; also the stride.
        token_layout: which ids are special, see `TOKEN_LAYOUTS`.
        vocab_size: rows of the word embedding; left out, what `kmer_size` and `token_layout` need.
        mlm_head: `bert` is BERT's own head (dense, activation, LayerNorm, decoder tied to the embedding; over all
            ids); `linear` is the authors' head (one untied Linear over the 4**k k-mers).
        loss_positions: what the labels of a batch mark: `masked` positions only; `all_bases`, every known k-mer,
            hidden or not, as the authors train since August 2024; `all_positions`, `[UNK]` and padding as well, which
            is how the model of the BIOSCAN-5M paper was trained, on rows of full length without an attention mask.
            The last one needs the layout `original` and the linear head.
        masked_weight: but for `masked`, a hidden position weighs `2 * masked_weight` and a visible one
            `2 * (1 - masked_weight)`; 0.5 weighs both alike, which is the authors' loss.
        decoder_layers: layers of the light decoder of `BarcodeBertForMaskedAutoencoding`.
        profile_weight: what the loss of a barcode's profile weighs beside the loss of a k-mer.
        labels: names of the classes per rank, `{"genus": [...], "species": [...]}`; a classifier gets a head per rank.
        pooled_positions: None pools by the mean over the attended positions. A number pools by the plain mean over
            this many positions, padding included, as the authors' fine-tuned classifiers did (660 // k).
        pretrained_on: splits of BIOSCAN-5M, and names of other files, whose barcodes the encoder has seen; evaluation
            puts them into its records.

    Raises:
        ValueError: a keyword is unknown, or the values contradict each other.

    Examples:
        >>> BarcodeBertConfig(kmer_size=4).vocab_size
        259
        >>> BarcodeBertConfig(kmer_size=4, token_layout="original").vocab_size
        258
        >>> BarcodeBertConfig(kmer_sise=4)
        Traceback (most recent call last):
        ...
        ValueError: BarcodeBertConfig has no 'kmer_sise'; did you mean 'kmer_size'?
    """

    model_type = "barcodebert"

    kmer_size: int = 4
    token_layout: Literal["original", "standard"] = "standard"
    vocab_size: int | None = None  # type: ignore[assignment]
    mlm_head: Literal["linear", "bert"] = "bert"
    loss_positions: Literal["masked", "all_bases", "all_positions"] = "masked"
    masked_weight: float | int = 0.5
    decoder_layers: int = 1
    profile_weight: float | int = 10.0
    labels: dict[str, list[str]] | None = None
    pooled_positions: int | None = None
    pretrained_on: list[str] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        refuse_unknown(type(self), kwargs)
        if kwargs.pop("position_embedding_type", "absolute") != "absolute":
            raise ValueError("position_embedding_type must be 'absolute': BarcodeBERT learns its positions")
        if self.kmer_size not in KMER_SIZES:
            raise ValueError(f"kmer_size must be {KMER_SIZES[0]} to {KMER_SIZES[-1]}, got {self.kmer_size}")
        if self.vocab_size is None:
            self.vocab_size = vocabulary_size(self.kmer_size, self.token_layout)
        if self.labels and len(self.labels) == 1:
            (names,) = self.labels.values()
            self.id2label = dict(enumerate(names))
            self.label2id = {name: index for index, name in enumerate(names)}
        super().__post_init__(**kwargs)

    def validate_architecture(self) -> None:
        """Refuse what cannot be built, or would be built but not mean what it says."""
        expected = vocabulary_size(self.kmer_size, self.token_layout)
        if self.vocab_size != expected:
            raise ValueError(
                f"vocab_size is {self.vocab_size}, but {self.kmer_size}-mers in the layout {self.token_layout!r} need "
                f"{expected}; {spell(self.vocab_size)}"
            )
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is no multiple of num_attention_heads {self.num_attention_heads}"
            )
        if self.is_decoder or self.add_cross_attention:
            raise ValueError("is_decoder and add_cross_attention must be False: BarcodeBERT is an encoder")
        if not 0 <= self.masked_weight <= 1:
            raise ValueError(f"masked_weight must lie between 0 and 1, got {self.masked_weight}")
        if self.loss_positions == "all_positions" and (self.token_layout, self.mlm_head) != ("original", "linear"):
            raise ValueError(
                "loss_positions 'all_positions' repeats what the authors did and needs token_layout 'original' and "
                f"mlm_head 'linear', got {self.token_layout!r} and {self.mlm_head!r}; otherwise use 'all_bases'"
            )
        if self.profile_weight < 0:
            raise ValueError(f"profile_weight must not be negative, got {self.profile_weight}")
        if self.pad_token_id != 0:
            raise ValueError("pad_token_id must be 0, the row of the word embedding that stays zero in both layouts")
        for rank, names in (self.labels or {}).items():
            if not names or len(set(names)) != len(names):
                raise ValueError(f"labels[{rank!r}] must hold distinct names, at least one; got {len(names)} names")

    @property
    def layout(self) -> TokenLayout:
        """The special ids of this vocabulary."""
        return TOKEN_LAYOUTS[self.token_layout]

    def to_dict(self) -> dict[str, Any]:
        """Give the values as they are saved; `id2label` follows from `labels` and is not repeated."""
        values: dict[str, Any] = super().to_dict()
        if self.labels and len(self.labels) == 1:
            values.pop("id2label", None)
            values.pop("label2id", None)
        return values

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Make a configuration from saved values; our fields among the keywords replace them before the checks."""
        given = {name: kwargs.pop(name) for name in cls.__annotations__ if name in kwargs}
        return super().from_dict(config_dict | given, **kwargs)

    @classmethod
    def get_config_dict(
        cls, pretrained_model_name_or_path: str | PathLike[str], **kwargs: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Read a `config.json`, also one exported as stock `bert`; see `adopt`."""
        folder = Path(pretrained_model_name_or_path)
        if folder.is_dir() and not (folder / kwargs.get("subfolder", "") / "config.json").is_file():
            raise ValueError(
                f"{folder} has no config.json: it is no model, or saving to it was interrupted; save again, or load "
                "the last checkpoint"
            )
        values, kwargs = super().get_config_dict(pretrained_model_name_or_path, **kwargs)
        return adopt(values, str(pretrained_model_name_or_path)), kwargs


def vocabulary_size(kmer_size: int, token_layout: str) -> int:
    """Give the number of ids.

    Examples:
        >>> vocabulary_size(4, "original"), vocabulary_size(8, "standard")
        (258, 65539)
    """
    if token_layout not in TOKEN_LAYOUTS:
        raise ValueError(f"there is no token_layout {token_layout!r}; use one of {', '.join(TOKEN_LAYOUTS)}")
    return TOKEN_LAYOUTS[token_layout].first + int(4**kmer_size)


def spell(vocab_size: int | None) -> str:
    """Say which k and layouts a size of the vocabulary fits.

    Examples:
        >>> spell(258), spell(30522)
        ("this size fits kmer_size=4, token_layout='original'", 'no k and layout has this size')
    """
    fits = [
        f"kmer_size={k}, token_layout={layout!r}"
        for k in KMER_SIZES
        for layout in TOKEN_LAYOUTS
        if vocabulary_size(k, layout) == vocab_size
    ]
    return f"this size fits {' or '.join(fits)}" if fits else "no k and layout has this size"


def refuse_unknown(cls: type[BarcodeBertConfig], given: dict[str, Any]) -> None:
    """Raise for keywords that are no field of the configuration, naming the near ones."""
    known = [field.name for field in fields(cls)]
    for name in given:
        if name not in MET_IN_FILES and not name.startswith("_"):
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.7)
            hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"it has {', '.join(sorted(known))}"
            raise ValueError(f"{cls.__name__} has no {name!r}; {hint}")


def adopt(values: dict[str, Any], where: str) -> dict[str, Any]:
    """Read the values of a `config.json` as ours.

    A file exported as stock `bert` carries our fields along. One that lacks them is taken for an original of the
    authors if its vocabulary is theirs (4**k + 2); what `kmer_size` and `token_layout` are, follows from it.

    Args:
        values: the parsed file; empty where there is none.
        where: name of the folder or repository, for messages.

    Raises:
        ValueError: another architecture, or a vocabulary that does not say which k-mers it holds.

    Examples:
        >>> adopt({"model_type": "bert", "vocab_size": 4098}, "x")["kmer_size"]
        6
        >>> adopt({"model_type": "roberta"}, "x")
        Traceback (most recent call last):
        ...
        ValueError: x holds a model of type 'roberta'; BarcodeBERT is 'barcodebert', or 'bert' with k-mers as tokens
    """
    model_type = values.get("model_type")
    if not values or model_type == BarcodeBertConfig.model_type:
        return values
    if model_type != "bert":
        raise ValueError(
            f"{where} holds a model of type {model_type!r}; "
            "BarcodeBERT is 'barcodebert', or 'bert' with k-mers as tokens"
        )
    values = values | {"model_type": BarcodeBertConfig.model_type}
    if "kmer_size" not in values:
        sizes = {vocabulary_size(k, "original"): k for k in KMER_SIZES}
        if (size := values.get("vocab_size")) not in sizes:
            raise ValueError(
                f"{where} is a BERT with {size} tokens and does not say which k-mers they are; {spell(size)}: "
                "give kmer_size and token_layout if it is one of these, else it is no BarcodeBERT"
            )
        linear = "BertForTokenClassification" in (values.get("architectures") or [])
        values |= {"kmer_size": sizes[size], "token_layout": "original", "mlm_head": "linear" if linear else "bert"}
    return values


def check_fit(tokens: Any, config: BertConfig) -> None:
    """Refuse a tokenizer whose ids are not the ones a model was trained on.

    Args:
        tokens: a tokenizer of transformers (anything with `get_vocab`), or `(k, layout name)`.
        config: ours, or a stock one with `kmer_size` and `token_layout` or the authors' vocabulary.

    Raises:
        ValueError: they do not fit; the message says what each of them has.

    Examples:
        >>> check_fit((4, "standard"), BarcodeBertConfig(kmer_size=4))
        >>> check_fit((6, "standard"), BarcodeBertConfig(kmer_size=4))
        Traceback (most recent call last):
        ...
        ValueError: the tokenizer has 4099 ids (6-mers, layout 'standard'), the model 259 (4-mers, layout 'standard')
    """
    wanted = adopt(config.to_dict(), config.name_or_path or "the configuration")
    k, layout = wanted["kmer_size"], wanted["token_layout"]
    model = f"the model {wanted['vocab_size']} ({k}-mers, layout {layout!r})"
    if isinstance(tokens, tuple):
        if tokens != (k, layout):
            size = vocabulary_size(*tokens)
            raise ValueError(f"the tokenizer has {size} ids ({tokens[0]}-mers, layout {tokens[1]!r}), {model}")
        return
    vocabulary = tokens.get_vocab()
    special = TOKEN_LAYOUTS[layout]
    expected = {
        "A" * k: special.first,
        "T" * k: special.first + 4**k - 1,
        "[UNK]": special.unknown,
        "[MASK]": special.mask,
    }
    wrong = [
        f"{token} is {vocabulary.get(token)}, not {index}"
        for token, index in expected.items()
        if vocabulary.get(token) != index
    ]
    if wrong or len(vocabulary) != wanted["vocab_size"]:
        details = f": {'; '.join(wrong)}" if wrong else ""
        raise ValueError(f"the tokenizer has {len(vocabulary)} ids, {model}{details}")
