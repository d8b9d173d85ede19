"""Models of genomes, opened from a folder: DNABERT-2 and -S, HyenaDNA, the Nucleotide Transformer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..embedding.checkpoint import CheckpointError, read_json, read_weights
from .weights import bare, fill


if TYPE_CHECKING:
    from torch import nn

    from .tokens import Tokens

BPE_TOKENS = 512
"""Ids of a barcode that DNABERT-2 and -S read, at most: as many as the published baselines filled up to. Their biases
of distance have no end."""

LETTERS = {letter: 7 + place for place, letter in enumerate("ACGTN")}
"""HyenaDNA's ids of letters; what is none of them is 6, and 4 fills."""


@dataclass(frozen=True)
class Opened:
    """A model of tokens, ready to be run.

    Args:
        model: as `TokenEncoder` takes it.
        tokenize: as `TokenEncoder` takes it.
        pad: the id that fills a batch.
        width: numbers in a vector.
        longest: ids of a sequence that are read.
    """

    model: nn.Module
    tokenize: Callable[[Sequence[str]], list[Tokens]]
    pad: int
    width: int
    longest: int


def open_dnabert(folder: Path, config: Mapping[str, Any], name: str) -> Opened:
    """Open DNABERT-2 or DNABERT-S; they differ in weights only.

    Raises:
        CheckpointError: weights or tokenizer are not its.
    """
    from .mosaic_bert import MosaicBert

    idle = ("pooler.", "cls.", "classifier.", "embeddings.position_ids", "embeddings.token_type_ids")
    weights = bare(read_weights(folder), ("bert.", ""), "encoder.layer.0.attention.self.Wqkv.weight", idle, name)
    model = _built(lambda: MosaicBert(config), name)
    fill(model, weights, name)
    tokenizer, pad = _bpe(folder / "tokenizer.json", config["vocab_size"], name)
    return Opened(model, tokenizer, pad, config["hidden_size"], BPE_TOKENS)


def open_hyena(folder: Path, config: Mapping[str, Any], name: str) -> Opened:
    """Open a HyenaDNA of the repositories whose names end in `-hf`.

    Raises:
        CheckpointError: weights are not its.
    """
    from .hyena import DEFAULTS, Hyena, shared_frequencies

    weights = bare(
        read_weights(folder),
        ("hyena.backbone.", "backbone.", ""),
        "layers.0.mixer.filter_fn.bias",
        ("lm_head.", "score."),
        name,
    )
    model = _built(lambda: Hyena(config), name)
    fill(model, shared_frequencies(weights), name)
    longest = int(config.get("max_seq_len") or DEFAULTS["max_seq_len"])
    return Opened(model, partial(letters, longest=longest), 4, config["d_model"], longest)


def open_nucleotide_transformer(folder: Path, config: Mapping[str, Any], name: str) -> Opened:
    """Open a Nucleotide Transformer of the first or second version.

    Raises:
        CheckpointError: weights or vocabulary are not its.
    """
    from .nucleotide_transformer import NucleotideTransformer, read_vocabulary, shape_of, todays_names, tokenize

    words = read_vocabulary(folder, name)
    idle = ("lm_head.", "classifier.", "pooler.", "contact_head.", "embeddings.position_ids")
    weights = bare(read_weights(folder), ("esm.", ""), "encoder.emb_layer_norm_after.weight", idle, name)
    model = _built(lambda: NucleotideTransformer(config, **shape_of(weights, config)), name)
    fill(model, todays_names(weights, config), name, computed=("esm.rotary_embeddings.inv_freq",))
    longest = config["max_position_embeddings"] - 2  # positions are counted from the padding's id, 1, on
    reading = partial(tokenize, words=words, longest=longest)
    return Opened(model, reading, words["<pad>"], config["hidden_size"], longest)


OPENERS: Mapping[str, Callable[[Path, Mapping[str, Any], str], Opened]]
OPENERS = {
    "DNABERT-2": open_dnabert,
    "HyenaDNA": open_hyena,
    "Nucleotide Transformer": open_nucleotide_transformer,
}
"""Family → what opens it."""

FILES = ("config.json", "tokenizer.json", "vocab.txt", "model.safetensors", "model-*.safetensors")


def letters(barcodes: Sequence[str], longest: int) -> list[list[int]]:
    """Write barcodes as HyenaDNA's ids, one for each letter.

    Its tokenizer puts `[SEP]` behind them. The published baselines leave that out of the mean, and the model sees
    nothing that comes later: so it has no effect, and is not written.

    Examples:
        >>> letters(["ACGTNR"], longest=9)
        [[7, 8, 9, 10, 11, 6]]
    """
    return [[LETTERS.get(letter, 6) for letter in barcode[:longest]] for barcode in barcodes]


def _bpe(path: Path, size: int, name: str) -> tuple[Callable[[Sequence[str]], list[list[int]]], int]:
    """Read a tokenizer of byte pairs that puts `[CLS]` and `[SEP]` around a sequence; give it and the padding's id."""
    from tokenizers import Tokenizer

    said = read_json(path, name)
    kind = said["model"].get("type") if isinstance(said.get("model"), dict) else None
    if kind != "BPE":
        raise CheckpointError(f"{path} is no tokenizer of byte pairs but {kind!r}: save or fetch the model again")
    tokenizer = Tokenizer.from_file(str(path))
    written, pad = tokenizer.encode("ACGTACGT").tokens, tokenizer.token_to_id("[PAD]")
    if pad is None or (written[0], written[-1]) != ("[CLS]", "[SEP]") or tokenizer.get_vocab_size() > size:
        raise CheckpointError(
            f"{name}: tokenizer.json does not fit the model, which has {size} tokens, reads [CLS] … [SEP] and fills "
            f"with [PAD]: it has {tokenizer.get_vocab_size()} and writes {' '.join(written)}"
        )
    tokenizer.no_padding()
    tokenizer.enable_truncation(BPE_TOKENS)
    return lambda texts: [encoding.ids for encoding in tokenizer.encode_batch(list(texts))], int(pad)


def _built(build: Callable[[], nn.Module], name: str) -> nn.Module:
    """Build a module; a configuration that cannot be is told as one of the model."""
    from huggingface_hub.errors import StrictDataclassError

    try:
        return build().eval()
    except KeyError as error:
        raise CheckpointError(f"{name}: config.json lacks {error}") from error
    except (ValueError, TypeError, RuntimeError, StrictDataclassError) as error:
        raise CheckpointError(f"{name}: config.json describes no model that can be built: {error}") from error
