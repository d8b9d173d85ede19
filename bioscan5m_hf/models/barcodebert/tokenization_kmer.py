"""Tokenizer of BarcodeBERT: k-mers that do not overlap, as a `tokenizers` object that needs no code of ours."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Mapping
from pathlib import Path

from tokenizers import Regex, Tokenizer
from tokenizers.decoders import Fuse
from tokenizers.models import WordLevel
from tokenizers.normalizers import Replace, Sequence
from tokenizers.pre_tokenizers import Split
from transformers import PreTrainedTokenizerFast


SPECIAL_TOKENS = {"standard": ("[PAD]", "[UNK]", "[MASK]"), "original": ("[MASK]", "[UNK]")}
"""Layout → its special tokens in the order of their ids; the k-mers AA…A to TT…T follow.

`original` is what the published weights since 2024 have: `[UNK]` also pads. Everything that is trained here has
`standard`, which also reads lower case and U (RNA).
"""

NUCLEOTIDES = 660
"""What the published models read of a barcode; `model_max_length` is so many bases by default."""


def kmer_tokenizer(kmer_size: int = 4, layout: str = "standard") -> Tokenizer:
    """Make the tokenizer as an object of the `tokenizers` library; all it does is in its `tokenizer.json`.

    A character that is not a base (N, another IUPAC code, a gap, a blank) makes its k-mer `[UNK]` and shifts nothing;
    what remains at the end and is shorter than a k-mer is dropped. The name of a special token in the text is that
    token, as with other tokenizers (`ACGT[MASK]ACGT`).

    Args:
        kmer_size: 2 to 8.
        layout: `standard` or `original`.

    Raises:
        ValueError: another size or layout.

    Examples:
        >>> kmer_tokenizer(4).encode("ACGTacgnTTTUUC").tokens
        ['ACGT', '[UNK]', 'TTTT']
        >>> kmer_tokenizer(4, "original").encode("ACGTacgtACGT").ids
        [29, 1, 29]
    """
    if layout not in SPECIAL_TOKENS:
        raise ValueError(f"there is no layout {layout!r}; use one of {', '.join(SPECIAL_TOKENS)}")
    if kmer_size not in range(2, 9):
        raise ValueError(f"kmer_size={kmer_size!r}; k-mers have 2 to 8 bases")
    special = SPECIAL_TOKENS[layout]
    kmers = map("".join, itertools.product("ACGT", repeat=kmer_size))
    vocabulary = {token: number for number, token in enumerate((*special, *kmers))}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    if layout == "standard":
        letters = [Replace(lower, lower.upper()) for lower in "acg"]
        tokenizer.normalizer = Sequence([*letters, Replace(Regex("[tuU]"), "T")])
    # Not `.`: it is no line break, and a k-mer with one in it would shift all that follow.
    tokenizer.pre_tokenizer = Split(Regex(rf"[\s\S]{{{kmer_size}}}"), "removed", invert=True)
    tokenizer.decoder = Fuse()
    tokenizer.add_special_tokens(list(special))
    return tokenizer


class KmerTokenizer(PreTrainedTokenizerFast):
    """The same for `transformers`: padding, truncation, batches of tensors, `save_pretrained`.

    What it saves, `tokenizer.json` and `tokenizer_config.json`, is loaded by `AutoTokenizer` where this package is not
    installed, and gives the same there.

    Args:
        kmer_size: 2 to 8; by default 4, or what a loaded vocabulary has.
        layout: `standard` or `original`; by default `standard`, or what a loaded vocabulary has.
        model_max_length: tokens that `truncation=True` leaves; by default those of 660 bases.
        vocab: token → id of a loaded tokenizer.
        **kwargs: as `PreTrainedTokenizerFast`.

    Raises:
        ValueError: a size or layout that does not exist, or does not fit the vocabulary that is loaded.

    Examples:
        >>> tokenizer = KmerTokenizer(kmer_size=2)
        >>> batch = tokenizer(["ACGTAC", "acNT"], padding=True)
        >>> batch["input_ids"], batch["attention_mask"]
        ([[4, 14, 4], [4, 1, 0]], [[1, 1, 1], [1, 1, 0]])
        >>> tokenizer.decode([4, 14, 4])
        'ACGTAC'
    """

    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012  # the base declares it so

    def __init__(
        self,
        kmer_size: int | None = None,
        layout: str | None = None,
        model_max_length: int | None = None,
        vocab: Mapping[str, int] | None = None,
        **kwargs: object,
    ) -> None:
        if vocab is not None:
            kmer_size, layout = _fitting(vocab, kmer_size, layout)
        self.kmer_size = 4 if kmer_size is None else kmer_size
        self.layout = "standard" if layout is None else layout
        self._tokenizer = kmer_tokenizer(self.kmer_size, self.layout)
        special = SPECIAL_TOKENS[self.layout]
        kwargs |= {
            "pad_token": "[PAD]" if "[PAD]" in special else "[UNK]",
            "unk_token": "[UNK]",
            "mask_token": "[MASK]",
            "model_input_names": list(self.model_input_names),
            "model_max_length": NUCLEOTIDES // self.kmer_size if model_max_length is None else model_max_length,
        }
        super().__init__(kmer_size=self.kmer_size, layout=self.layout, **kwargs)  # type: ignore[no-untyped-call]

    def _save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        file_names: tuple[str, ...],
        legacy_format: bool | None = None,
        filename_prefix: str | None = None,
    ) -> tuple[str, ...]:
        """Name the class that every installation has, and leave out what concerns the last call and this machine.

        The file with the configuration has just been written; the base class writes `tokenizer.json`.
        """
        for path in map(Path, file_names):
            if path.name.endswith("tokenizer_config.json"):
                config = json.loads(path.read_text(encoding="utf-8")) | {"tokenizer_class": "PreTrainedTokenizerFast"}
                config = {
                    name: value for name, value in config.items() if name not in ("is_local", "local_files_only")
                }
                beside = path.with_name(f".{path.name}.part")
                beside.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
                os.replace(beside, path)
        self.backend_tokenizer.no_padding()
        self.backend_tokenizer.no_truncation()
        return super()._save_pretrained(save_directory, file_names, legacy_format, filename_prefix)


def _fitting(vocab: Mapping[str, int], kmer_size: int | None, layout: str | None) -> tuple[int, str]:
    """Find the size and layout of a vocabulary; they have to be those that are asked for, if any."""
    size = max((len(token) for token in vocab if token.isalpha()), default=0)
    for name, special in SPECIAL_TOKENS.items():
        if len(vocab) != len(special) + 4**size or any(vocab.get(token) != at for at, token in enumerate(special)):
            continue
        if kmer_size not in (None, size) or layout not in (None, name):
            raise ValueError(
                f"kmer_size={kmer_size}, layout={layout!r} were asked for, but the tokenizer that is loaded has "
                f"kmer_size={size}, layout={name!r}: leave them out, or load another one"
            )
        return size, name
    raise ValueError(
        f"the tokenizer that is loaded has {len(vocab)} tokens, and they are not the special tokens of a layout "
        f"({', '.join(SPECIAL_TOKENS)}) and then all k-mers of one size; AutoTokenizer loads it as what it is"
    )
