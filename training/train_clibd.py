"""Train a CLIBD: photographs, barcodes and names of specimens in one space.

    accelerate launch training/train_clibd.py --config training/configs/clibd-5m.yaml --dataset bioscan-5m

A run that was stopped goes on from its last checkpoint when the same command is given again.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from accelerate.utils import broadcast_object_list, set_seed
from safetensors.torch import load_file, save_file

from bioscan5m_hf.data.decode import Frame
from bioscan5m_hf.data.manifest import write_text
from bioscan5m_hf.data.sources import open_source, read_tables
from bioscan5m_hf.evaluation.search import Search
from bioscan5m_hf.evaluation.sides import Side
from bioscan5m_hf.evaluation.specimens import open_data, revision_of
from bioscan5m_hf.evaluation.validation import GAP, MEAN, Validated, distinct_texts, score_names_of, validate
from bioscan5m_hf.hub.cards import front_matter, public_name
from bioscan5m_hf.hub.push import push
from bioscan5m_hf.hub.records import record_figures
from bioscan5m_hf.learning import report
from bioscan5m_hf.learning.command import command_line, read_arguments, start_accelerator
from bioscan5m_hf.learning.contrastive import ContrastiveRecipe
from bioscan5m_hf.learning.contrastive_run import ContrastiveRun, SpecimenMeter
from bioscan5m_hf.learning.embedding import Embedding
from bioscan5m_hf.learning.lora import merged, with_lora
from bioscan5m_hf.learning.meter import choose_attention, compile_model, grouped
from bioscan5m_hf.learning.recipe import RecipeError
from bioscan5m_hf.learning.run import CHECKPOINTS, check_recipe
from bioscan5m_hf.learning.shown import COLUMNS, Shown, open_batches
from bioscan5m_hf.models.clibd.export_clibd import make_processor, save_clibd
from bioscan5m_hf.models.clibd.processing_clibd import TEXT_RANKS
from bioscan5m_hf.models.clibd.towers_clibd import build
from bioscan5m_hf.splits import parse


BEST, GAP_FILE = "best.safetensors", "gap.json"


def main(arguments: list[str] | None = None) -> None:
    """Train, validate, save; and push if asked to."""
    recipe, watching = read_arguments(ContrastiveRecipe, __doc__, arguments)
    output = Path(recipe.output)
    check_recipe(output, recipe)
    output.mkdir(parents=True, exist_ok=True)
    accelerator = start_accelerator(recipe.precision, watching, output)
    check_validation(recipe)
    process = accelerator.process_index, accelerator.num_processes

    # The model: pretrained and fresh towers, the same in all processes; other dropout in each.
    set_seed(recipe.seed)
    with accelerator.local_main_process_first():
        names = names_of(recipe) if "text" in recipe.modalities and "text" not in recipe.towers else []
        architecture = recipe.architecture | {"pretrained_on": list(parse(recipe.split))}
        model, tokenizer = build(architecture, recipe.towers, names)
        config, processor = model.config, make_processor(model.config, tokenizer)
        shown = Shown(processor, config, kinds=config.targets != "identity")
        batches = open_batches(recipe, recipe.split, shown.frame, learns=True, process=process)
    choose_attention(model, accelerator.device)
    for tower in recipe.freeze:
        getattr(model, f"{tower}_model").requires_grad_(False)
    learner = with_lora(model, recipe.lora, recipe.freeze) if recipe.lora else model
    if recipe.compile:
        compile_model(learner)
    groups = grouped(learner, recipe.weight_decay, everything=recipe.decays == "everything")
    optimizer = torch.optim.AdamW(groups, lr=recipe.peak_learning_rate, fused=True)
    learner, optimizer = accelerator.prepare(learner, optimizer)
    set_seed(recipe.seed, device_specific=True)

    epoch, revision = batches.full_batches, revision_of(open_data(recipe.dataset))
    rest = recipe.epochs * epoch, epoch, revision, batches, shown, config
    run = ContrastiveRun(output, recipe, watching, accelerator, learner, optimizer, *rest)
    epochs, best = train(run)
    measured = None
    if best >= 0:
        accelerator.unwrap_model(learner).load_state_dict(load_file(output / CHECKPOINTS / BEST))
        measured = measure(run, fits=True)
    if accelerator.is_main_process:
        finish(run, tokenizer, measured, epochs)
    accelerator.end_training()


def check_validation(recipe: ContrastiveRecipe) -> None:
    """Look whether there is what the validation wants, before anything is learnt.

    Raises:
        RecipeError: there is no such score.
        ValueError: there is no such split.
    """
    validating = recipe.validating
    if validating is None:
        return
    known = score_names_of(recipe.modalities, [part for part in (validating.seen, validating.unseen) if part])
    if validating.score not in known:
        raise RecipeError(f"validation: there is no score {validating.score!r}: use one of {', '.join(known)}")
    for split in validating.splits:
        open_batches(recipe, split, Frame())


def names_of(recipe: ContrastiveRecipe) -> list[str]:
    """Give the distinct names of the specimens to learn from, as texts: what a fresh text tower has words of."""
    source = open_source(recipe.dataset, "metadata")
    files = [file for split in source.choose_splits(recipe.split) for file in source.files[split]]
    rows = {
        row
        for file in files
        for table in read_tables(str(file), TEXT_RANKS)
        for row in zip(*table.to_pydict().values(), strict=True)
    }
    return sorted(" ".join(name for name in row if name) for row in rows)


def train(run: ContrastiveRun) -> tuple[int, float]:
    """Take steps from where the run was stopped until the validation gets no better; give epochs and best score."""
    accelerator, recipe, validating = run.accelerator, run.recipe, run.recipe.validating
    progress = run.resume()
    best, since = progress.get("best", -1.0), progress.get("since", 0)
    meter, bar = SpecimenMeter(accelerator), run.bar(progress["step"])
    done = progress["step"]
    begin_learning(run)
    for step in run.steps_from(done) if not stopped(recipe, since) else ():
        meter.add(run.learn(step), step)
        bar.update()
        done = step.number + 1
        ends = done % run.steps_of_epoch == 0
        saves = ends or done % recipe.save_every == 0
        if done % run.watching.log_every == 0 or saves:  # no weights are saved whose losses nobody has looked at
            line = {"lr": run.optimizer.param_groups[0]["lr"], **meter.read(), "scale": scale_of(run)}
            run.log(done, line)
            bar.set_postfix(loss=f"{line['loss']:.3f}", specimens=f"{line['specimens_per_second']:,.0f}/s")
        if ends and validating is not None and validating.due(done // run.steps_of_epoch, recipe.epochs):
            score = validated(run, done)
            best, since = (score, 0) if score > best else (best, since + 1)
            if since == 0 and accelerator.is_main_process:
                save_best(accelerator.unwrap_model(run.model), run.folder / CHECKPOINTS / BEST)
        if saves:
            run.save(done, best=best, since=since)
            meter.clear()
        if stopped(recipe, since):
            break
    bar.close()
    accelerator.wait_for_everyone()
    return done // run.steps_of_epoch, best


def begin_learning(run: ContrastiveRun) -> None:
    """Switch dropout and batch statistics on, but not in towers that do not learn."""
    run.model.train()
    for tower in run.recipe.freeze:
        getattr(run.accelerator.unwrap_model(run.model), f"{tower}_model").eval()


def stopped(recipe: ContrastiveRecipe, since: int) -> bool:
    """Tell whether the validation has not got better for too long."""
    patience = None if recipe.validating is None else recipe.validating.patience
    return patience is not None and since >= patience


def validated(run: ContrastiveRun, done: int) -> float:
    """Validate, write it to the log, and give the score that decides; all processes call it together."""
    wanted, measured = run.recipe.validating.score, measure(run)
    found: list[float | None] = [None]
    if measured is not None:
        if wanted not in measured.scores:
            raise RecipeError(f"validation: nothing has the score {wanted!r}: use one of {', '.join(measured.scores)}")
        found = [measured.scores[wanted]]
        run.log(done, {"validation": found[0], **chosen(measured.scores)})
    (score,) = broadcast_object_list(found)
    return score


def measure(run: ContrastiveRun, *, fits: bool = False) -> Validated | None:
    """Name the specimens of the validation by their nearest keys; all processes embed, and the first one names."""
    recipe, validating = run.recipe, run.recipe.validating
    embedding = Embedding(run.accelerator, run.model, run.shown)
    ranks = dict.fromkeys(("sampleid", *COLUMNS))
    sides = {}
    for split in validating.splits:
        given = {"columns": list(ranks), "process": (run.accelerator.process_index, run.accelerator.num_processes)}
        batches = open_batches(recipe, split, run.shown.frame, **given)
        if validating.most is not None:
            batches = open_batches(
                recipe, split, run.shown.frame, share=min(1, validating.most / batches.rows), **given
            )
        found = embedding.specimens(batches, list(ranks))
        sides[split] = Side(found.vectors, {rank: found.columns[rank] for rank in TEXT_RANKS})
    keys, texts = sides.pop(validating.keys), None
    if "text" in recipe.modalities:
        table = distinct_texts(keys.labels)
        texts = Side({"text": embedding.texts(table)}, {rank: table[rank] for rank in TEXT_RANKS})
    if not run.accelerator.is_main_process:
        return None
    return validate(keys, sides, texts, fits=fits, search=Search(device=str(run.accelerator.device)))


def chosen(scores: dict[str, float]) -> dict[str, float]:
    """Give the scores that are worth a line: those of species and genera, by class."""
    ways = (
        "image→image",
        "image→dna",
        "dna→dna",
        "image→text",
        f"image, {GAP}",
        f"image+dna, {GAP}",
        "averaged→averaged",
    )
    return {MEAN: scores[MEAN]} | {
        name: value
        for name, value in scores.items()
        if name.startswith(("genus/", "species/"))
        and name.endswith("/macro")
        and name.split("/")[1].split(", ", 1)[1] in ways
    }


def scale_of(run: ContrastiveRun) -> float:
    """Give what cosines are multiplied with."""
    return float(run.accelerator.unwrap_model(run.model).scale().detach())


def save_best(model: torch.nn.Module, path: Path) -> None:
    """Keep the weights of the best validation so far; replaced at once."""
    beside = path.with_suffix(".new")
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, beside)
    beside.replace(path)


def finish(run: ContrastiveRun, tokenizer: object, measured: Validated | None, epochs: int) -> None:
    """Save records, model, processor and card beside the log; push them if asked to."""
    recipe = run.recipe
    where = {"data_revision": run.data, "seed": recipe.seed, "processes": run.accelerator.num_processes}
    validating = recipe.validating
    parts = ", ".join(validating.splits[1:]) if validating else ""
    on = f"{public_name(recipe.dataset)} {parts}; keys {validating.keys}" if validating else ""
    records = report.make_records("validation", chosen(measured.scores) if measured else {}, data=on, **where)
    report.write_results(run.folder, records)
    if measured is not None and measured.gap is not None:
        write_text(run.folder / GAP_FILE, json.dumps(measured.gap.gap.to_dict()))
    model = merged(run.accelerator.unwrap_model(run.model)).cpu()
    place = run.watching.push_to_hub or recipe.output
    name = Path(place).name
    towers = ", ".join(f"{modality} ({recipe.towers.get(modality, 'fresh')})" for modality in recipe.modalities)
    front = front_matter(
        name,
        "feature-extraction",
        dataset=recipe.dataset,
        license=run.watching.license,
        family="clibd",
        figures=record_figures(map(asdict, records), name, recipe.dataset),
    )
    card = report.make_card(
        f"CLIBD: {', '.join(recipe.modalities)}",
        front,
        recipe,
        way="clibd",
        place=place,
        modalities=list(recipe.modalities),
        what="Photographs, DNA barcodes and names of specimens in one space, of "
        f"{model.config.projection_dim} numbers, trained by a contrastive loss. Towers: {towers}.",
        records=records,
        training=f"{run.batches.rows:,} specimens of `{recipe.split}`, {epochs} epochs of {run.steps_of_epoch:,} "
        f"steps of {recipe.batch_size} specimens. {CHOSEN.format(validating.score, parts) if measured else ''}",
        revision=run.data,
        limits="The nearest key always has a name: how sure it is, `bioscan5m calibrate` measures, and "
        "`bioscan5m predict` leaves a name empty where it is not sure enough.",
    )
    save_clibd(model, make_processor(model.config, tokenizer), run.folder, card=card)
    report.logger.info("saved %s", run.folder)
    if run.watching.push_to_hub:
        report.logger.info("pushed to %s", push(run.folder, run.watching.push_to_hub, repo_type="model").url)


CHOSEN = (
    "The weights are those with the best `{}` on {}, which the results above are of, too. How image and DNA are best "
    "compared there (centred and weighed) was found out on one half of these specimens and measured on the other; "
    "`gap.json` has what fits all of them."
)
"""What a card says of the validation."""


if __name__ == "__main__":
    command_line(main)
