"""Nearest neighbours among real photographs of named specimens, without any training on them.

python benchmarks/real_photographs/measure.py FOLDER [--model CLIBD] > benchmarks/real_photographs/README.md

FOLDER holds `labels.csv` (file, sampleid, order, family, genus, species) and the photographs.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bioscan5m_hf.evaluation.answers import score_answers
from bioscan5m_hf.evaluation.labels import codes_of
from bioscan5m_hf.evaluation.search import Search
from bioscan5m_hf.evaluation.sides import plates
from bioscan5m_hf.provenance import code_version, hardware


RANKS = ("order", "family", "genus", "species")
UNTRAINED = ("vit_base_patch16_224", "resnet50")
HEAD = """# Real photographs, without training

{count} photographs of {species} species ({families} families, {orders} orders), each named by the nearest of the
others, in per cent, with 95 % intervals over species. *Other plates* leaves out neighbours of the specimen's own
plate, which were photographed on the same day and under the same light.

**No pretrained weights of an image tower could be fetched where this was measured** (a closed network), and none come
with the packages: what is untrained here has weights drawn with seed 0. The code that loads pretrained ones, by the
names that timm and open_clip have for them, is exercised on folders in their formats (`tests/adapters`,
`tests/models/test_towers_clibd.py`). So these figures are what has to be beaten.

"""


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("folder", type=Path)
    given.add_argument("--model", type=Path, help="folder of a CLIBD with an image tower")
    asked = given.parse_args()
    with (asked.folder / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    photographs = [Image.open(asked.folder / row["file"]).convert("RGB") for row in rows]
    names = {rank: [row[rank] or None for row in rows] for rank in RANKS}
    kinds = {rank: len({name for name in column if name}) for rank, column in names.items()}
    print(
        HEAD.format(count=len(rows), species=kinds["species"], families=kinds["family"], orders=kinds["order"]), end=""
    )
    print(f"| vectors | keys | {' | '.join(RANKS)} |\n|---|---|{'--:|' * len(RANKS)}")
    plate = codes_of(plates([row["sampleid"] for row in rows]))
    for title, vectors in ways(photographs, asked.model):
        for keys, apart in (("all others", []), ("other plates", [(plate, plate)])):
            print(f"| {title} | {keys} | {' | '.join(scores(vectors, names, apart))} |")
    print(f"| chance | all others | {' | '.join(chance(names[rank]) for rank in RANKS)} |")
    print(
        f"\nCode {code_version()}, {hardware(1)}; "
        "`python benchmarks/real_photographs/measure.py FOLDER --model clibd-demo`."
    )
    print("\nBoxes found on other photographs are measured in [`boxes.md`](boxes.md).")


def ways(photographs: list[Image.Image], model: Path | None) -> Iterator[tuple[str, Any]]:
    """Give vectors of the photographs, each with what it is."""
    yield "mean and deviation of the colours", colours(photographs)
    yield "16 × 16 pixels", pixels(photographs)
    for name in UNTRAINED:
        yield f"timm `{name}`, untrained", untrained(name)(photographs)
    if model is not None:
        from bioscan5m_hf.adapters import load_encoder

        encoder: Any = load_encoder(str(model))
        yield f"image tower of `{model.name}`, trained on invented, drawn insects", encoder.embed_images(photographs)


def colours(photographs: list[Image.Image]) -> Any:
    """Give mean and deviation of red, green and blue."""
    arrays = [np.asarray(photograph, np.float32) / 255 for photograph in photographs]
    return centred(np.array([[*each.mean((0, 1)), *each.std((0, 1))] for each in arrays]))


def pixels(photographs: list[Image.Image]) -> Any:
    """Give the photographs as 16 × 16 pixels."""
    return centred(np.array([np.asarray(each.resize((16, 16)), np.float32).ravel() for each in photographs]))


def centred(vectors: Any) -> Any:
    """Bring each number to mean 0 and deviation 1 over the photographs, so that cosines tell them apart."""
    return ((vectors - vectors.mean(0)) / vectors.std(0).clip(1e-6)).astype(np.float32)


def untrained(name: str) -> Callable[[list[Image.Image]], Any]:
    """Give an image tower with the weights that it begins with."""
    import timm
    import torch

    torch.manual_seed(0)
    tower = timm.create_model(name, pretrained=False, num_classes=0).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(tower), is_training=False)

    def embed(photographs: list[Image.Image]) -> Any:
        with torch.inference_mode():
            return centred(torch.cat([tower(transform(each)[None]) for each in photographs]).numpy())

    return embed


def scores(vectors: Any, names: dict[str, list[str | None]], apart: list[Any]) -> list[str]:
    """Name each photograph by the nearest other one."""
    count = len(vectors)
    place = Search().nearest(vectors, vectors, 1, barred=np.arange(count), apart=apart).place[:, 0]
    found = []
    for rank in RANKS:
        codes = codes_of(names[rank])
        right = (codes[place] == codes) & (codes >= 0) & (place >= 0)
        score = score_answers(rank, right, names[rank], names["species"], part="photographs")[
            f"{rank}/photographs/micro"
        ]
        found.append(f"{100 * score.value:.1f} ({100 * (score.low or 0):.0f}–{100 * (score.high or 0):.0f})")
    return found


def chance(names: list[str | None]) -> str:
    """Give the share of pairs of different specimens with one name."""
    codes = codes_of(names)
    alike = (codes[:, None] == codes) & (codes >= 0)[:, None]
    return f"{100 * (alike.sum() - (codes >= 0).sum()) / (len(codes) - 1) / max(1, (codes >= 0).sum()):.1f}"


if __name__ == "__main__":
    main()
