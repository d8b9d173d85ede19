r"""Train a detector that finds the specimen in a photograph, for `bioscan5m crop`.

    accelerate launch training/train_croptool.py --config training/configs/croptool.yaml \
        --images PHOTOS --boxes BOXES.tsv

A run that was stopped goes on from its last checkpoint when the same command is given again.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch
from accelerate.utils import broadcast_object_list, set_seed

from bioscan5m_hf.data.images.boxes import read_boxes
from bioscan5m_hf.data.manifest import write_text
from bioscan5m_hf.hub.cards import front_matter, public_name
from bioscan5m_hf.hub.push import push
from bioscan5m_hf.hub.records import record_figures
from bioscan5m_hf.learning import report
from bioscan5m_hf.learning.command import command_line, read_arguments, start_accelerator
from bioscan5m_hf.learning.contrastive_run import SpecimenMeter
from bioscan5m_hf.learning.detection import SURE, DetectionRecipe, detection_scores, is_held_out
from bioscan5m_hf.learning.detection_photographs import Example, digest, find_photographs, make_examples, readable
from bioscan5m_hf.learning.detection_run import DetectionRun, find_boxes, make_detector, parameter_groups
from bioscan5m_hf.learning.recipe import RecipeError
from bioscan5m_hf.learning.run import check_recipe


def main(arguments: list[str] | None = None) -> None:
    """Train, measure, save; and push if asked to."""
    recipe, watching = read_arguments(DetectionRecipe, __doc__, arguments)
    output = Path(recipe.output)
    for name in ("images", "boxes"):
        if not getattr(recipe, name):
            raise RecipeError(f"nothing to learn from: name --{name}")
    check_recipe(output, recipe)
    given = make_examples(find_photographs(recipe.images), read_boxes(recipe.boxes), empty=recipe.empty)
    examples, problems = readable(given)
    held = [one for one in examples if is_held_out(one.processid, recipe.held_out)]
    learnt = [one for one in examples if not is_held_out(one.processid, recipe.held_out)]
    check_parts(recipe, learnt, held)
    output.mkdir(parents=True, exist_ok=True)
    accelerator = start_accelerator(recipe.precision, watching, output)
    for problem in problems:
        report.logger.warning("left out: %s", problem)

    set_seed(recipe.seed)
    with accelerator.local_main_process_first():
        model, processor = make_detector(recipe)
    optimizer = torch.optim.AdamW(parameter_groups(model, recipe), weight_decay=recipe.weight_decay)
    model, optimizer = accelerator.prepare(model, optimizer)
    set_seed(recipe.seed, device_specific=True)
    epoch = max(1, round(len(learnt) / recipe.batch_size))
    about = recipe.steps, epoch, digest(examples), learnt, processor
    run = DetectionRun(output, recipe, watching, accelerator, model, optimizer, *about)
    scores = train(run, held)
    if accelerator.is_main_process:
        finish(run, scores, len(held))
    accelerator.end_training()


def check_parts(recipe: DetectionRecipe, learnt: list[Example], held: list[Example]) -> None:
    """Look whether there is something to learn from and to measure.

    Raises:
        RecipeError: there is not.
    """
    if not any(one.box for one in learnt):
        raise RecipeError(f"held_out is {recipe.held_out}: no photograph with a box is left to learn from")
    if recipe.held_out and not any(one.box for one in held):
        raise RecipeError(f"held_out is {recipe.held_out}: no photograph with a box is held out; use more, or 0")


def train(run: DetectionRun, held: list[Example]) -> dict[str, float]:
    """Take the steps that are left; give the scores of the last measurement."""
    recipe = run.recipe
    progress = run.resume()
    done, scores = progress["step"], progress.get("scores", {})
    meter, bar = SpecimenMeter(run.accelerator), run.bar(done)
    run.model.train()
    for step in run.steps_from(done):
        meter.add(run.learn(step), step)
        bar.update()
        done = step.number + 1
        measures = bool(held) and (done % recipe.evaluate_every == 0 or done == run.steps)
        saves = done % recipe.save_every == 0 or done == run.steps
        if done % run.watching.log_every == 0 or saves:  # no weights are saved whose losses nobody has looked at
            line = {"lr": run.optimizer.param_groups[-1]["lr"], **meter.read()}
            run.log(done, line)
            bar.set_postfix(loss=f"{line['loss']:.3f}")
        if measures:
            scores = measure(run, held)
            run.log(done, scores)
            report.logger.info("step %d: AP[.75] %.3f, AR %.3f, mean IoU %.3f", done, *figures(scores))
        if saves:
            run.save(done, scores=scores)
        if measures or saves:
            meter.clear()
    bar.close()
    run.accelerator.wait_for_everyone()
    return scores


def told(scores: dict[str, float]) -> str:
    """Say by which score an empty dish is told."""
    if SURE not in scores:
        return "look at the score"
    return f"19 of 20 specimens that were held out have a score of {scores[SURE]:.3f} or more"


def figures(scores: dict[str, float]) -> tuple[float, float, float]:
    """Give the scores that are told while it learns."""
    return scores["ap_75"], scores["ar"], scores["mean_iou"]


def measure(run: DetectionRun, held: list[Example]) -> dict[str, float]:
    """Measure the photographs that are held out; the first process does it, and tells the others."""
    found: list[dict[str, float] | None] = [None]
    if run.accelerator.is_main_process:
        model = run.accelerator.unwrap_model(run.model)
        with run.accelerator.autocast():
            boxes = find_boxes(
                model, run.processor, held, batch_size=run.recipe.batch_size, device=run.accelerator.device
            )
        found = [detection_scores(boxes, [one.box for one in held if one.box])]
    (scores,) = broadcast_object_list(found)
    return scores


def finish(run: DetectionRun, scores: dict[str, float], held: int) -> None:
    """Save records, model, processor and card beside the log; push them if asked to."""
    recipe = run.recipe
    data = f"{held} photographs of {public_name(recipe.images)}, held out"
    where = {"data_revision": run.data, "seed": recipe.seed, "processes": run.accelerator.num_processes}
    records = report.make_records("detection", scores, data=data, **where)
    report.write_results(run.folder, records)
    place = run.watching.push_to_hub or recipe.output
    name = Path(place).name
    front = front_matter(
        name,
        "object-detection",
        dataset="",
        license=run.watching.license,
        base_model=recipe.model,
        family="croptool",
        figures=record_figures(map(asdict, records), name),
    )
    front["tags"] = ["biology", "insects", "biodiversity", "bioscan-5m", "croptool"]
    start = f"Fine-tuned from `{public_name(recipe.model)}`" if recipe.model else "Trained from fresh weights"
    card = report.make_card(
        "Crop tool: finds the specimen in a photograph",
        front,
        recipe,
        way="detector",
        place=place,
        material="photographs and boxes",
        what="A detector with one class, `specimen`. The box it is most sure of is the one that is cut out.",
        records=records,
        training=f"{start}; {len(run.examples):,} photographs, {recipe.steps:,} steps of {recipe.batch_size}. The "
        "weights are those of the last step. One box of each photograph is measured, the one with the highest score.",
        revision=run.data,
        limits="It always has a box that it is most sure of, in an empty dish, too: "
        f"{told(scores)}. Photographs of "
        "another microscope than it was trained on are another matter; so are several specimens in one photograph.",
    )
    model = run.accelerator.unwrap_model(run.model).cpu()
    model.config.specimen_score = scores.get(SURE)
    model.save_pretrained(run.folder)
    run.processor.save_pretrained(run.folder)
    write_text(run.folder / "README.md", card)
    report.logger.info("saved %s", run.folder)
    if run.watching.push_to_hub:
        report.logger.info("pushed to %s", push(run.folder, run.watching.push_to_hub, repo_type="model").url)


if __name__ == "__main__":
    command_line(main)
