"""A detector of specimens in photographs: its recipe, and how well its boxes fit those that are known."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from ..data.images.boxes import Box
from .recipe import RecipeError, check_range, option


CLASS = "specimen"
"""The one class."""

SIXTEENTHS = "0123456789abcdef"


SURE, MISSED = "score_of_95_percent", 0.05
"""Name of the score that a specimen has to reach, and the share of those that are known which does not."""


class Detection(NamedTuple):
    """The box that a detector is most sure of in a photograph.

    Args:
        corners: left, upper, right and lower edge, pixels.
        score: how sure it is, 0 to 1.
    """

    corners: tuple[float, float, float, float]
    score: float


@dataclass(frozen=True)
class DetectionRecipe:
    """How a detector is trained; `help` of each field says what it is.

    Steps, batches, rates, schedule and clipping are those of BIOSCAN-5M's crop tool.

    Examples:
        >>> DetectionRecipe(images="photographs", boxes="boxes.tsv").steps
        6000
    """

    MAY_CHANGE: ClassVar[frozenset[str]] = frozenset({"output", "images", "boxes"})

    images: str = option(
        "", "folder of photographs called by their processid, or of original_full zips, or one of those"
    )
    boxes: str = option("", "table of boxes in the official form (`BIOSCAN_5M_Insect_bbox.tsv`)")
    output: str = option("croptool", "folder of the model")
    model: str | None = option(
        "facebook/detr-resnet-50", "Hub id or folder of the detector to begin with; none: fresh"
    )
    architecture: dict[str, Any] = option({}, "of a fresh detector: `model_type` of transformers, and its settings")  # noqa: RUF009
    size: dict[str, Any] = option({}, "of photographs, as the detector's processor takes it; without: its own")  # noqa: RUF009
    empty: bool = option(False, "photographs without a box are learnt from as empty dishes; else they are left out")
    held_out: int = option(1, "sixteenths of the photographs (last digit of MD5(processid)) to measure, not to learn")
    flips: bool = option(True, "mirror photographs left to right and upside down, at random")
    shift: float = option(0.1, "largest shift of a photograph, share of its width and height; edges are continued")
    steps: int = option(6000, "steps of the optimiser")
    batch_size: int = option(8, "photographs of a step, over all processes")
    learning_rate: float = option(1e-4, "highest, of all but the backbone")
    backbone_learning_rate: float = option(1e-5, "highest, of the backbone")
    weight_decay: float = option(1e-4, "of AdamW")
    warm_up: int = option(0, "steps in which rates rise, before they fall along half a cosine")
    clip: float | None = option(0.1, "largest norm of a step's gradient")
    precision: Literal["fp32", "bf16"] = option("fp32", "fp32, or bf16 autocast with fp32 weights")
    evaluate_every: int = option(500, "steps between measurements; the end is always measured")
    save_every: int = option(500, "steps between checkpoints")
    seed: int = option(0, "of fresh weights, order, and what happens to photographs")

    def __post_init__(self) -> None:
        if self.model is None and "model_type" not in self.architecture:
            raise RecipeError("neither a model to begin with, nor the model_type of a fresh one in architecture")
        if self.model is not None and self.architecture:
            raise RecipeError("architecture is of a fresh detector: say model: null with it")
        for name in ("steps", "batch_size", "evaluate_every", "save_every"):
            check_range(name, getattr(self, name), 1)
        check_range("held_out", self.held_out, 0, 15)
        check_range("shift", self.shift, 0, 0.5)
        check_range("warm_up", self.warm_up, 0, self.steps - 1)
        for name in ("weight_decay", "backbone_learning_rate", "seed"):
            check_range(name, getattr(self, name), 0)
        for name in ("learning_rate", "clip"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise RecipeError(f"{name} is {value}: use a positive number")


def is_held_out(processid: str, sixteenths: int) -> bool:
    """Tell whether a photograph is one to measure: the same ones in every run, whatever else there is.

    Args:
        processid: of the specimen.
        sixteenths: share of all that are held out.

    Examples:
        >>> [is_held_out("ABINP1749-21", sixteenths) for sixteenths in (0, 8, 16)]
        [False, True, True]
    """
    digit = hashlib.md5(processid.encode(), usedforsecurity=False).hexdigest()[-1]
    return SIXTEENTHS.index(digit) < sixteenths


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Give the intersection over union of two boxes.

    Args:
        one: left, upper, right and lower edge.
        other: the same.

    Examples:
        >>> overlap((0, 0, 2, 2), (1, 0, 3, 2))
        0.3333333333333333
    """
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared) if shared else 0.0


def detection_scores(predictions: Mapping[str, Detection], boxes: Iterable[Box]) -> dict[str, float]:
    """Measure one box per photograph against the known ones, as COCO does (`pycocotools`) and by their overlap.

    Args:
        predictions: processid → what was found; a photograph that has no known box is an empty dish, where whatever
            is found is wrong.
        boxes: the known ones, at most one of a photograph; one that nothing was predicted for is missed.

    Returns:
        `ap` and `ar` (means over overlaps from .50 to .95), `ap_50`, `ap_75`; and of the photographs with a box
        `mean_iou`, the shares `iou_50` and `iou_75` of those whose box overlaps by at least as much, and
        `score_of_95_percent`, which 19 of 20 of them reach: below it, `bioscan5m crop` takes a dish for an empty one.

    Raises:
        ValueError: there are no known boxes.

    Examples:
        >>> box = Box("A-1", 100, 100, 10, 10, 50, 50)
        >>> round(detection_scores({"A-1": Detection((10, 10, 50, 50), 0.9)}, [box])["ap_75"], 6)
        1.0
    """
    known = {box.processid: box for box in boxes}
    if not known:
        raise ValueError("no known boxes: nothing to measure detections with")
    found = [
        overlap(predictions[name].corners, box.corners) if name in predictions else 0.0 for name, box in known.items()
    ]
    shares = np.array(found)
    by_overlap = {
        "mean_iou": float(shares.mean()),
        "iou_50": float((shares >= 0.5).mean()),
        "iou_75": float((shares >= 0.75).mean()),
        SURE: float(
            np.quantile(
                [predictions[name].score if name in predictions else 0.0 for name in known], MISSED, method="lower"
            )
        ),
    }
    return _coco(predictions, known) | by_overlap


def _coco(predictions: Mapping[str, Detection], known: Mapping[str, Box]) -> dict[str, float]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    places = {name: number for number, name in enumerate(dict.fromkeys([*known, *predictions]), 1)}
    truth = [
        {"id": number, "image_id": places[name], "category_id": 1, "iscrowd": 0, **_area(box.corners)}
        for number, (name, box) in enumerate(known.items(), 1)
    ]
    answers = [
        {"image_id": places[name], "category_id": 1, "score": one.score, **_area(one.corners)}
        for name, one in predictions.items()
    ]
    if not answers:
        return dict.fromkeys(("ap", "ap_50", "ap_75", "ar"), 0.0)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints tables
        coco = COCO()
        images = [{"id": place} for place in places.values()]
        coco.dataset = {
            "info": {},
            "images": images,
            "annotations": truth,
            "categories": [{"id": 1, "name": CLASS}],
        }
        coco.createIndex()
        measured = COCOeval(coco, coco.loadRes(answers), "bbox")
        measured.evaluate()
        measured.accumulate()
        measured.summarize()
    # places in COCO's table of results: AP[.50:.95], AP[.50], AP[.75], and AR[.50:.95] of at most 100 boxes
    return {name: float(measured.stats[place]) for name, place in (("ap", 0), ("ap_50", 1), ("ap_75", 2), ("ar", 8))}


def _area(corners: Sequence[float]) -> dict[str, Any]:
    x0, y0, x1, y1 = map(float, corners)
    return {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0)}
