"""CLIBD: specimens per second of its data path and of a step, beside the original's way."""

from __future__ import annotations

import io
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import measure
from material import PACKAGE, SEED, Bench
from measure import in_turn, ratios
from records import Bar, Figure


TITLE = "Contrastive training (CLIBD)"
SPLIT, BATCH, SPECIMENS, STEPS = "pretrain", 100, 3000, 4
SMALL = {"hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 1024}
TOWERS = {
    "image_config": {"model_type": "timm_wrapper", "architecture": "vit_tiny_patch16_224", "num_classes": 0},
    "dna_config": {"model_type": "bert", "vocab_size": 1027, **SMALL},
    "text_config": {"model_type": "bert", **SMALL},
    "projection_dim": 256,
}
WAYS = {
    "original": (
        "HDF5 rows of zero-padded JPEG bytes, each decoded by Pillow and given to torchvision (ToTensor, Resize 256, "
        "RandomResizedCrop 224, flips, rotation), barcode cut into 5-mers in Python and names tokenised for each "
        "specimen; torch DataLoader with two workers, shuffled"
    ),
    "ours, streaming": "ImageBatches with Augmentation, shuffled, and learning.shown.Shown; two threads",
    "ours, map-style": "MappedBatches from the prepared cache, otherwise the same",
}
STEP = (
    "the data path as above and a step of AdamW: ViT-Ti/16 at 224 pixels, BERTs of two layers and width 256, batches "
    f"of {BATCH}; "
)
PRECISIONS = {"original": "fp32", "ours, fp32": "fp32", "ours, bf16": "bf16 autocast"}


def run(bench: Bench) -> Iterator[Figure]:
    """Measure data paths and steps in turn."""
    folder, home = bench.photograph_dataset(), bench.work / "prepared-home"
    path = bench.work / "clibd.h5"
    measure.call("contrastive:write_hdf5", home=home, folder=folder, path=path)
    given = {"folder": folder, "path": path}

    def rate(way: str, step: str | None = None) -> Callable[[], float]:
        return lambda: float(measure.call("contrastive:rate", home=home, way=way, step=step, **given).result)

    paths = {way: rate(way) for way in WAYS}
    paths["ours, map-style"]()  # prepares the cache
    rates = in_turn(paths, bench.repeats)
    for way, note in WAYS.items():
        yield Figure(f"data path: {way}", "specimens/s", rates[way], note=note)
    for way in list(WAYS)[1:]:
        yield Figure(f"data path: {way} ÷ original", "×", ratios(rates[way], rates["original"]), Bar(">=", 3))
    steps = in_turn(
        {way: rate("original" if way == "original" else "ours, streaming", way) for way in PRECISIONS}, bench.repeats
    )
    for way, precision in PRECISIONS.items():
        yield Figure(f"step: {way}", "specimens/s", steps[way], note=STEP + precision)
    for way in list(PRECISIONS)[1:]:
        yield Figure(f"step: {way} ÷ original", "×", ratios(steps[way], steps["original"]))


def write_hdf5(folder: str, path: str) -> None:
    """Write a split as CLIBD does, with the names that its texts are made of."""
    import h5py
    import pyarrow.parquet as pq
    from random_access import write_hdf5 as write

    write(folder, path, by_row=True)
    names = ["order", "family", "genus"]
    files = sorted(Path(folder, PACKAGE).glob(f"{SPLIT}-*.parquet"))
    with h5py.File(path, "a") as file:
        for name in names:
            column = [
                value or "not_classified"
                for each in files
                for value in pq.read_table(each, columns=[name])[name].to_pylist()
            ]
            file[SPLIT].create_dataset(name, data=column, dtype=h5py.string_dtype())


def rate(folder: str, path: str, way: str, step: str | None) -> float:
    """Measure specimens per second, after a first batch, with or without a step of the optimiser."""
    import torch

    torch.manual_seed(SEED)
    model, shown = model_and_shown()
    batches = original_batches(path) if way == "original" else our_batches(folder, way, shown)
    learn: Callable[[Any], object] = (lambda batch: None) if step is None else learner(model, shown, step)
    wanted = SPECIMENS // BATCH if step is None else STEPS
    taken = itertools.islice(batches, wanted + 1)
    learn(next(taken))
    start, count = time.perf_counter(), 0
    for batch in taken:
        learn(batch)
        count += BATCH
    if not count:
        raise RuntimeError("too few specimens to measure with")
    return count / (time.perf_counter() - start)


def model_and_shown() -> tuple[Any, Any]:
    """Make a model of the usual towers, small, and what makes its inputs."""
    from bioscan5m_hf.learning.shown import Shown
    from bioscan5m_hf.models.clibd.export_clibd import make_processor
    from bioscan5m_hf.models.clibd.towers_clibd import build

    model, tokenizer = build(TOWERS, {}, ["Diptera Phoridae Megaselia Megaselia rufa"])
    return model, Shown(make_processor(model.config, tokenizer), model.config)


def learner(model: Any, shown: Any, step: str) -> Callable[[Any], object]:
    """Give what takes a step; the original's in fp32 with the attention that transformers chooses."""
    import torch

    ours = step != "original"
    if ours:
        model.set_attn_implementation("eager")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=ours)

    def learn(batch: Any) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=step == "ours, bf16"):
            model(**shown.ready(batch) if ours else batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return learn


def our_batches(folder: str, way: str, shown: Any) -> Iterator[Any]:
    """Give tensors as our script gives them to the model, prepared one ahead."""
    from concurrent.futures import ThreadPoolExecutor

    from bioscan5m_hf.data.reading import ahead
    from bioscan5m_hf.learning.contrastive import ContrastiveRecipe
    from bioscan5m_hf.learning.shown import open_batches

    recipe = ContrastiveRecipe(dataset=folder, streaming="streaming" in way, batch_size=BATCH, package=PACKAGE)
    batches = open_batches(recipe, SPLIT, shown.frame, learns=True)
    with ThreadPoolExecutor(1) as pool:
        yield from ahead(pool, shown, (batch for epoch in itertools.count() for batch in of_epoch(batches, epoch)))


def of_epoch(batches: Any, epoch: int) -> Any:
    """Give the batches of an epoch."""
    batches.set_epoch(epoch)
    return batches


def original_batches(path: str) -> Iterator[Any]:
    """Give tensors in the original's way."""
    import h5py
    import torch
    from PIL import Image
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms
    from transformers import PreTrainedTokenizerFast

    kmers = ["".join(letters) for letters in itertools.product("ACGT", repeat=5)]
    vocabulary = {token: number for number, token in enumerate(["<MASK>", "<CLS>", "<UNK>", *kmers])}
    words = Tokenizer(models.WordPiece({"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]")
    transform = transforms.Compose(
        [
            transforms.ToTensor(),
            transforms.Resize(256, antialias=True),
            transforms.RandomResizedCrop(224, antialias=True),
            transforms.RandomHorizontalFlip(),
            transforms.RandomVerticalFlip(),
            transforms.RandomRotation(45),
        ]
    )

    class Rows(Dataset):
        def __init__(self) -> None:
            self.group: Any = None
            with h5py.File(path) as file:
                self.lengths = file[SPLIT]["image_mask"][:]

        def __len__(self) -> int:
            return len(self.lengths)

        def __getitem__(self, place: int) -> Any:
            if self.group is None:
                self.group = h5py.File(path)[SPLIT]
            data = self.group["image"][place][: self.lengths[place]].tobytes()
            image = transform(Image.open(io.BytesIO(data)).convert("RGB"))
            barcode = self.group["barcode"][place].decode()[:660].ljust(660, "N")
            ids = [vocabulary.get(barcode[start : start + 5], 2) for start in range(0, 660, 5)]
            names = [self.group[name][place].decode() for name in ("order", "family", "genus", "species")]
            text = tokenizer(" ".join(names), padding="max_length", max_length=20, truncation=True)
            return {
                "pixel_values": image,
                "dna_input_ids": torch.tensor([0, *ids]),
                "input_ids": torch.tensor(text["input_ids"]),
                "attention_mask": torch.tensor(text["attention_mask"]),
            }

    loader = DataLoader(Rows(), BATCH, shuffle=True, drop_last=True, num_workers=2)
    while True:
        yield from loader
