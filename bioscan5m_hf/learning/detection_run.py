"""A run of a detector: its batches, what is learnt from each, and the boxes it finds."""

from __future__ import annotations

import inspect
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..data.images.boxes import Box
from ..data.reading import ahead
from .contrastive_run import Step
from .detection import CLASS, Detection, DetectionRecipe
from .detection_photographs import Example, augmented
from .recipe import RecipeError
from .run import Run


if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_LATER = re.compile(r"backbone.*\.(stages\.[123]|layer[234])\.")
"""Stages of a ResNet, of transformers and of timm, after the first."""


_ORDER, _CHANGES = 0, 1
"""What random numbers are for; each use has its own."""


@dataclass(frozen=True)
class DetectionRun(Run):
    """A run of a detector; epochs begin wherever a batch ends.

    Args:
        examples: to learn from.
        processor: of the detector.
    """

    examples: Sequence[Example]
    processor: Any

    @property
    def _identity(self) -> dict[str, object]:
        return {"photographs": self.data, "steps": self.steps}

    def rows(self, step: int) -> list[int]:
        """Give the examples of a step, of all processes together.

        Args:
            step: from 0.
        """
        size, many = self.recipe.batch_size, len(self.examples)
        places = range(step * size, (step + 1) * size)
        orders = {
            epoch: np.random.default_rng((self.recipe.seed, _ORDER, epoch)).permutation(many)
            for epoch in {place // many for place in places}
        }
        return [int(orders[place // many][place % many]) for place in places]

    def steps_from(self, start: int) -> Iterator[Step]:
        """Give the steps from some step on, prepared one ahead in another thread.

        Args:
            start: from 0.
        """
        with ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(1))
            stack.callback(pool.shutdown, wait=False, cancel_futures=True)
            yield from ahead(pool, self._step, range(start, self.steps))

    def _step(self, number: int) -> Step:
        rows = self.rows(number)
        mine = range(self.accelerator.process_index, len(rows), self.accelerator.num_processes)
        pictures, boxes = [], []
        for place in mine:
            random = np.random.default_rng((self.recipe.seed, _CHANGES, number, place))
            changes = {"flips": self.recipe.flips, "shift": self.recipe.shift}
            picture, box = augmented(*self.examples[rows[place]].open(), random, **changes)
            pictures.append(picture)
            boxes.append(box)
        shown = inputs(self.processor, pictures, boxes)
        return Step(number, shown, [self.examples[rows[place]].processid for place in mine])

    def learn(self, step: Step) -> torch.Tensor:
        """Take one step of the optimiser; give the loss of this process's photographs.

        Args:
            step: what this process does in it.
        """
        factor = schedule(step.number, self.steps, self.recipe.warm_up)
        for group in self.optimizer.param_groups:
            group["lr"] = factor * group["peak"]
        loss: torch.Tensor = self.model(**accepted(self.model, step.tensors, self.accelerator.device)).loss
        self.accelerator.backward(loss)
        if self.recipe.clip is not None:
            self.accelerator.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.detach()


def make_detector(recipe: DetectionRecipe) -> tuple[Any, Any]:
    """Make the detector that learns, with one class, and the processor of its photographs.

    Of a ResNet that has learnt before, stem and first stage stay as they are, as DETR has it; all of a fresh one
    learns. (transformers itself freezes all of some fresh ResNets, and nothing of one that it loads.)

    Args:
        recipe: names what to begin with.

    Returns:
        Model and processor, both of transformers.

    Raises:
        RecipeError: transformers knows no such detector, or it cannot be loaded.
    """
    from transformers import AutoConfig, AutoImageProcessor, AutoModelForObjectDetection
    from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING

    labels = {"num_labels": 1, "id2label": {0: CLASS}, "label2id": {CLASS: 0}}
    size = {"size": recipe.size} if recipe.size else {}
    if recipe.model is not None:
        try:
            model = AutoModelForObjectDetection.from_pretrained(recipe.model, ignore_mismatched_sizes=True, **labels)
            freeze_stem(model)
            processor = AutoImageProcessor.from_pretrained(recipe.model, backend="pil", **size)  # type: ignore[no-untyped-call]
            return model, processor
        except (OSError, ValueError) as error:
            said = str(error).strip().splitlines()[0]
            raise RecipeError(f"{recipe.model} cannot be loaded as a detector: {said}") from error
    settings = dict(recipe.architecture)
    try:
        config = AutoConfig.for_model(settings.pop("model_type"), **settings, **labels)
        model = AutoModelForObjectDetection.from_config(config)  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, KeyError) as error:
        said = str(error).strip().splitlines()[0]
        raise RecipeError(f"architecture makes no detector of transformers: {said}") from error
    model.requires_grad_(True)
    kinds: dict[str, Any] = IMAGE_PROCESSOR_MAPPING[type(config)]  # type: ignore[assignment]
    return model, kinds["pil"](**size)


def freeze_stem(model: torch.nn.Module) -> None:
    """Keep stem and first stage of a ResNet as they are; other backbones learn as a whole.

    Args:
        model: the detector.
    """
    backbone = [(name, each) for name, each in model.named_parameters() if "backbone" in name]
    if any(_LATER.search(name) for name, _ in backbone):
        for name, each in backbone:
            each.requires_grad_(_LATER.search(name) is not None)


def parameter_groups(model: torch.nn.Module, recipe: DetectionRecipe) -> list[dict[str, Any]]:
    """Group the parameters that learn: the backbone has a rate of its own; all decay.

    Args:
        model: the detector.
        recipe: has the rates.

    Returns:
        Groups for AdamW; `peak` is their highest rate.
    """
    learning = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    rates = {True: recipe.backbone_learning_rate, False: recipe.learning_rate}
    groups = [
        {"params": [each for name, each in learning if ("backbone" in name) == inside], "lr": rate, "peak": rate}
        for inside, rate in rates.items()
    ]
    return [group for group in groups if group["params"]]


def schedule(step: int, steps: int, warm_up: int = 0) -> float:
    """Give the share of the highest rate in a step: a rise, if any, then half a cosine.

    Args:
        step: from 0.
        steps: of the run.
        warm_up: steps of the rise.

    Examples:
        >>> [round(schedule(step, 100), 2) for step in (0, 50, 99)]
        [1.0, 0.5, 0.0]
    """
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up)))


def inputs(processor: Any, pictures: Sequence[Picture], boxes: Sequence[Box | None]) -> dict[str, Any]:  # noqa: ANN401
    """Give what a detector of transformers learns from.

    Args:
        processor: of the detector.
        pictures: RGB.
        boxes: in them; None in an empty dish.

    Returns:
        Pixels, their mask where the detector has one, and `labels`, on the CPU. Boxes are in shares of their own
        photograph, as the detector is asked for them, whatever a photograph is padded to beside larger ones.
    """
    given = [
        {"image_id": number, "annotations": [] if box is None else [_annotation(box, number)]}
        for number, box in enumerate(boxes)
    ]
    made = dict(processor(images=list(pictures), annotations=given, return_tensors="pt"))
    for label, picture, box in zip(made["labels"], pictures, boxes, strict=True):
        if box is not None:
            label["boxes"] = _shares(box, picture).to(label["boxes"].dtype)
    return made


def _shares(box: Box, picture: Picture) -> torch.Tensor:
    """Give center, width and height of a box in shares of its photograph, shape (1, 4)."""
    size = torch.tensor([picture.width, picture.height], dtype=torch.float64)
    upper, lower = torch.tensor(box.corners, dtype=torch.float64).view(2, 2) / size
    return torch.cat([(upper + lower) / 2, lower - upper]).unsqueeze(0)


def accepted(model: torch.nn.Module, tensors: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """Give the inputs that a detector takes, on its device; not all of them take a mask.

    Args:
        model: the detector, wrapped or not.
        tensors: of `inputs`.
        device: to move them to.
    """
    inner = getattr(model, "module", model)
    taken = inspect.signature(inner.forward).parameters
    return {name: _moved(value, device) for name, value in tensors.items() if name in taken}


@torch.inference_mode()
def find_boxes(
    model: torch.nn.Module,
    processor: Any,  # noqa: ANN401
    examples: Iterable[Example],
    *,
    batch_size: int = 8,
    device: torch.device | None = None,
) -> dict[str, Detection]:
    """Find the box that a detector is most sure of in each photograph.

    Args:
        model: of transformers, for the detection of objects.
        processor: of it.
        examples: the photographs; of their boxes, only the size of the photograph is looked at.
        batch_size: photographs at once; only those of one size share a batch, so that nothing is padded.
        device: of the model.

    Returns:
        processid → box, cut to the photograph; in pixels of the photograph that its known box was drawn in, or of the
        one at hand, upright, where none is known.
    """
    learns = model.training
    model.eval()
    found: dict[str, Detection] = {}
    opened = ((one, one.open()[0]) for one in examples)
    for _, group in itertools.groupby(opened, key=lambda pair: pair[1].size):
        while batch := list(itertools.islice(group, batch_size)):
            pictures = [picture for _, picture in batch]
            shown = dict(processor(images=pictures, return_tensors="pt"))
            output = model(**accepted(model, shown, device or torch.device("cpu")))
            sizes = [(known.height, known.width) for known in (one.box or picture for one, picture in batch)]
            results = processor.post_process_object_detection(output, threshold=0.0, target_sizes=sizes)
            for (one, _), size, result in zip(batch, sizes, results, strict=True):
                if len(result["scores"]):
                    found[one.processid] = _best(result, *size)
    model.train(learns)
    return found


def _best(result: dict[str, torch.Tensor], height: int, width: int) -> Detection:
    best = int(result["scores"].argmax())
    x0, y0, x1, y1 = result["boxes"][best].float().tolist()
    corners = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
    return Detection(corners, float(result["scores"][best]))


def _annotation(box: Box, image: int) -> dict[str, Any]:
    width, height = box.size
    place = [box.x0, box.y0, width, height]
    return {"image_id": image, "bbox": place, "category_id": 0, "area": width * height, "iscrowd": 0}


def _moved(value: Any, device: torch.device) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return [_moved(each, device) for each in value]
    if isinstance(value, dict) or hasattr(value, "items"):
        return {name: _moved(each, device) for name, each in value.items()}
    return value.to(device)
