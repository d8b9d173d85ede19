"""Processors that fit a configuration, and model folders with the code that `trust_remote_code=True` runs."""

from __future__ import annotations

import itertools
import json
import shutil
import string
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.decoders import WordPiece as WordPieceDecoder
from tokenizers.models import BPE, WordLevel, WordPiece
from tokenizers.normalizers import NFC, BertNormalizer, Lowercase, Replace, Sequence
from tokenizers.pre_tokenizers import BertPreTokenizer, ByteLevel, Split
from tokenizers.pre_tokenizers import Sequence as PreTokenizers
from tokenizers.processors import TemplateProcessing
from transformers import CLIPImageProcessor, PreTrainedTokenizerFast

from ..barcodebert.export_barcodebert import INCOMING, WEIGHTS, put_in_place, refuse_foreign, write_json
from ..barcodebert.tokenization_kmer import KmerTokenizer
from .configuration_clibd import ClibdConfig, OpenClipConfig
from .modeling_clibd import ClibdModel
from .processing_clibd import ClibdProcessor


CODE = ("configuration_clibd.py", "loss_clibd.py", "modeling_clibd.py", "processing_clibd.py")
"""What a repository carries; flat, importing each other with a single dot."""

DOORS = {
    "AutoConfig": "configuration_clibd.ClibdConfig",
    "AutoModel": "modeling_clibd.ClibdModel",
    "AutoProcessor": "processing_clibd.ClibdProcessor",
}
RELEASED_TOKENS = ("<MASK>", "<CLS>", "<UNK>")
"""Special tokens of the k-mer vocabulary that the published weights have, in the order of their ids."""

CLIP_ENDS = ("<start_of_text>", "<end_of_text>")
_CLIP_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""What open_clip takes for a word."""

WORD_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_RESIZED = 256 / 224
"""The shorter side is brought to this many times the side of the square that is cut out, as in CLIBD and ImageNet."""


def make_processor(config: ClibdConfig, tokenizer: Any = None) -> ClibdProcessor:
    """Make the processor that a model wants.

    Args:
        config: of the model.
        tokenizer: of its text tower; without one, a model without text is assumed.

    Raises:
        ValueError: there is a text tower and no tokenizer, or one with more ids.

    Examples:
        >>> make_processor(ClibdConfig(modalities=["dna"]))(dna=["ACGTA"])["dna_input_ids"].tolist()
        [[111]]
    """
    if tokenizer is None:
        if config.text_config is not None:
            raise ValueError("the model has a text tower: give its tokenizer")
        tokenizer = name_tokenizer(())
    elif config.text_config is not None and len(tokenizer) > getattr(config.text_config, "vocab_size", len(tokenizer)):
        raise ValueError(f"the tokenizer has {len(tokenizer)} ids, and the text tower {config.text_config.vocab_size}")
    released, text = config.dna_padding == "unknown", config.text_config
    clip = isinstance(text, OpenClipConfig)  # its text towers read rows of one length
    return ClibdProcessor(
        image_processor(config),
        released_tokenizer(config.dna_kmer_size) if released else KmerTokenizer(kmer_size=config.dna_kmer_size),
        tokenizer,
        dna_max_nucleotides=config.dna_max_nucleotides,
        dna_prefix_id=config.dna_prefix_id,
        dna_padding=config.dna_padding,
        text_max_length=text.context_length if clip else config.text_max_length,
        text_padding="max_length" if clip or config.text_pooling == "mean_all" else "longest",
        missing_rank_token=config.missing_rank_token,
    )


def image_processor(config: ClibdConfig) -> CLIPImageProcessor:
    """Make what prepares photographs: the size and normalisation of the image tower.

    The published weights were trained on values from 0 to 1.

    Args:
        config: of the model.
    """
    side, mean, std = 224, [0.5] * 3, [0.5] * 3
    tower = config.image_config
    if isinstance(tower, OpenClipConfig):
        import open_clip  # type: ignore[import-untyped]
        from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD  # type: ignore[import-untyped]

        found = open_clip.get_model_config(tower.architecture)["vision_cfg"]["image_size"]
        side, mean, std = int(found), tower.image_mean or OPENAI_DATASET_MEAN, tower.image_std or OPENAI_DATASET_STD
    elif tower is not None and tower.model_type == "timm_wrapper":
        import timm

        usual = timm.get_pretrained_cfg(tower.architecture)
        known = (usual.to_dict() if usual else {}) | (getattr(tower, "pretrained_cfg", None) or {})
        given = (tower.model_args or {}).get("img_size") or (known.get("input_size") or [side])[-1]
        side = given if isinstance(given, int) else given[-1]
        mean, std = known.get("mean") or mean, known.get("std") or std
    side = config.image_size or side
    return CLIPImageProcessor(
        size={"shortest_edge": round(side * _RESIZED)},
        crop_size={"height": side, "width": side},
        resample=2 if config.image_normalize == "none" else 3,
        do_normalize=config.image_normalize != "none",
        image_mean=list(mean),
        image_std=list(std),
    )


def released_tokenizer(kmer_size: int) -> PreTrainedTokenizerFast:
    """Make the tokenizer of the published weights: upper case only, ids 0 to 2 are `<MASK>`, `<CLS>` and `<UNK>`.

    Args:
        kmer_size: bases of a k-mer.

    Examples:
        >>> released_tokenizer(5)(["AAAAANCGTAACGTA"])["input_ids"]
        [[3, 2, 111]]
    """
    kmers = map("".join, itertools.product("ACGT", repeat=kmer_size))
    vocabulary = {token: number for number, token in enumerate((*RELEASED_TOKENS, *kmers))}
    made = Tokenizer(WordLevel(vocabulary, unk_token="<UNK>"))
    made.pre_tokenizer = Split(Regex(rf"[\s\S]{{{kmer_size}}}"), "removed", invert=True)
    names = {"mask_token": "<MASK>", "cls_token": "<CLS>", "unk_token": "<UNK>", "pad_token": "<UNK>"}
    return PreTrainedTokenizerFast(tokenizer_object=made, model_input_names=["input_ids", "attention_mask"], **names)


def name_tokenizer(names: Iterable[str], size: int = 8_000) -> PreTrainedTokenizerFast:
    """Make a tokenizer of words and letters from taxonomic names; case does not count.

    Words are whole, the most frequent first; others are read letter by letter. (Trainers of the `tokenizers` library
    break ties by chance, so that the same names would give other ids the next time.)

    Args:
        names: whose words are known.
        size: ids, at most.

    Examples:
        >>> tokenizer = name_tokenizer(["Diptera Phoridae", "Diptera Sciaridae"])
        >>> tokenizer.tokenize("diptera phora")
        ['diptera', 'p', '##h', '##o', '##r', '##a']
    """
    normalizer, splitter = BertNormalizer(), BertPreTokenizer()
    counts: Counter[str] = Counter()
    for name, times in Counter(names).items():
        words = splitter.pre_tokenize_str(normalizer.normalize_str(name))
        counts.update({word: 0 for word, _ in words})
        for word, _ in words:
            counts[word] += times
    letters = sorted({*string.ascii_lowercase, *string.digits, *"".join(counts)})
    pieces = [*WORD_TOKENS, *letters, *(f"##{letter}" for letter in letters)]
    words_by_count = sorted(counts, key=lambda word: (-counts[word], word))
    tokens = list(dict.fromkeys([*pieces, *words_by_count]))[: max(size, len(pieces))]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    made = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer, made.decoder = normalizer, splitter, WordPieceDecoder()
    ends = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    made.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    named = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), WORD_TOKENS, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=made, model_input_names=["input_ids", "attention_mask"], **named)


def clip_tokenizer() -> PreTrainedTokenizerFast:
    """Make the tokenizer of the text towers of open_clip from the vocabulary that open_clip comes with.

    Examples:
        >>> clip_tokenizer()("Diptera")["input_ids"]
        [49406, 19918, 15155, 49407]
    """
    from open_clip.tokenizer import SimpleTokenizer  # type: ignore[import-untyped]

    theirs = SimpleTokenizer()
    made = Tokenizer(BPE(theirs.encoder, list(theirs.bpe_ranks), end_of_word_suffix="</w>", unk_token=None))
    made.normalizer = Sequence([NFC(), Replace(Regex(r"\s+"), " "), Lowercase()])
    words = Split(Regex(_CLIP_WORDS), "removed", invert=True)
    made.pre_tokenizer = PreTokenizers([words, ByteLevel(add_prefix_space=False, use_regex=False)])
    made.decoder = ByteLevelDecoder()
    ends = [(token, theirs.encoder[token]) for token in CLIP_ENDS]
    made.post_processor = TemplateProcessing(single=f"{CLIP_ENDS[0]} $A {CLIP_ENDS[1]}", special_tokens=ends)
    named = {
        "bos_token": CLIP_ENDS[0],
        "eos_token": CLIP_ENDS[1],
        "pad_token": "!",
    }  # id 0, as open_clip pads; no name has it
    return PreTrainedTokenizerFast(tokenizer_object=made, model_input_names=["input_ids", "attention_mask"], **named)


def save_clibd(model: ClibdModel, processor: ClibdProcessor, folder: str | Path, *, card: str | None = None) -> Path:
    """Save a model, its processor, and the code that loads both without this package.

    Everything is written beside and then renamed, `config.json` last, so that an interrupted save leaves a folder that
    does not load. Other files there stay.

    Args:
        model: to be saved.
        processor: that fits it.
        folder: where to; made if missing.
        card: text of `README.md`; None leaves the one that is there.

    Returns:
        The folder.

    Raises:
        ValueError: the folder holds a model of another architecture, or is a file.
    """
    folder = Path(folder)
    refuse_foreign(folder, (ClibdConfig.model_type,))
    incoming = folder / INCOMING
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir(parents=True)
    model.save_pretrained(incoming)
    processor.save_pretrained(str(incoming))
    for name in CODE:
        shutil.copyfile(Path(__file__).with_name(name), incoming / name)
    _add_doors(incoming / "config.json", DOORS)
    _add_doors(incoming / "processor_config.json", {"AutoProcessor": DOORS["AutoProcessor"]})
    if card is not None:
        (incoming / "README.md").write_text(card, encoding="utf-8")
    put_in_place(incoming, folder, (*WEIGHTS, "dna_tokenizer", *CODE))
    return folder


def _add_doors(path: Path, doors: dict[str, str]) -> None:
    write_json(path, json.loads(path.read_text(encoding="utf-8")) | {"auto_map": doors})
