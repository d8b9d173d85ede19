"""Fine-tune a pretrained BarcodeBERT to name seen species (or any ranks): train, stop by val, measure on test.

How sure a name has to be before `bioscan5m predict` gives it is fitted at the end, on val and val_unseen.

    accelerate launch training/finetune_barcodebert.py --model barcodebert-8-4-4 --rank species

A run that was stopped goes on from its last epoch when the same command is given again.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch
from accelerate.utils import set_seed
from safetensors.torch import load_file, save_file

from bioscan5m_hf.data.manifest import write_text
from bioscan5m_hf.embedding.calibration import SHARE
from bioscan5m_hf.embedding.classification import Classification
from bioscan5m_hf.embedding.classifier import BarcodeClassifier
from bioscan5m_hf.embedding.inputs import open_input
from bioscan5m_hf.embedding.lineage import Lineages
from bioscan5m_hf.embedding.naming import calibrate
from bioscan5m_hf.embedding.thresholds import FILE
from bioscan5m_hf.errors import Bioscan5mError
from bioscan5m_hf.hub.cards import front_matter, public_name
from bioscan5m_hf.hub.push import push
from bioscan5m_hf.hub.records import record_figures
from bioscan5m_hf.learning import report
from bioscan5m_hf.learning.barcode_run import BarcodeRun
from bioscan5m_hf.learning.batches import Sampler
from bioscan5m_hf.learning.command import command_line, read_arguments, start_accelerator
from bioscan5m_hf.learning.finetuning import FinetuningRecipe, NamingTask, class_names, mean_accuracy
from bioscan5m_hf.learning.masking import Framing
from bioscan5m_hf.learning.meter import Meter, choose_attention, compile_model, grouped
from bioscan5m_hf.learning.run import CHECKPOINTS, check_recipe
from bioscan5m_hf.learning.sources import load_table
from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertForSequenceClassification
from bioscan5m_hf.models.barcodebert.export_barcodebert import save_stock
from bioscan5m_hf.taxonomy import LABELS


Named = tuple[NamingTask, Sampler]
BEST = f"{CHECKPOINTS}/best.safetensors"


def main(arguments: list[str] | None = None) -> None:
    """Train, stop, measure, save; and push if asked to."""
    recipe, watching = read_arguments(FinetuningRecipe, __doc__, arguments)
    output = Path(recipe.output)
    check_recipe(output, recipe)
    config = BarcodeBertConfig.from_pretrained(recipe.model)
    k, layout = config.kmer_size, config.token_layout
    output.mkdir(parents=True, exist_ok=True)
    accelerator = start_accelerator(recipe.precision, watching, output)

    # Barcodes and names: encoded by one process of each machine, then memory-mapped by all.
    with accelerator.local_main_process_first():
        splits = {"train": recipe.train, "validation": recipe.validation, "test": recipe.test}
        loading = {"layout": layout, "labels": recipe.rank, "streaming": recipe.streaming}
        tables = {name: load_table(recipe.dataset, split, **loading) for name, split in splits.items() if split}
    names = class_names(tables["train"], recipe.rank)
    batching = recipe.batch_size, recipe.micro_batch_size, accelerator.num_processes
    parts: dict[str, Named] = {}
    for name, table in tables.items():
        task = NamingTask.of(table, k, layout, names)
        learns = name == "train"
        framing = Framing(k, learns and recipe.random_offset, recipe.crop if learns else None)
        parts[name] = task, task.sampler(recipe.seed, batching, framing)
    sampler = parts["train"][1]

    # The model: a pretrained encoder and fresh heads, the same in all processes; other dropout in each.
    set_seed(recipe.seed)
    model = BarcodeBertForSequenceClassification.from_pretrained(
        recipe.model, labels=names, classifier_dropout=recipe.dropout
    )
    choose_attention(model, accelerator.device)
    if recipe.freeze:
        model.bert.requires_grad_(False)
    if recipe.compile:
        compile_model(model)
    optimizer = torch.optim.AdamW(grouped(model, recipe.weight_decay), lr=recipe.peak_learning_rate, fused=True)
    model, optimizer = accelerator.prepare(model, optimizer)
    set_seed(recipe.seed, device_specific=True)

    run = BarcodeRun.of(
        output, recipe, watching, accelerator, model, optimizer, sampler, recipe.epochs * sampler.steps
    )
    epochs = train(run, parts)
    accelerator.unwrap_model(model).load_state_dict(load_file(output / BEST))
    measured = {
        recipe.validation: parts["validation"][0].measure(accelerator, model, parts["validation"][1]),
    }
    if recipe.test:
        measured[recipe.test] = parts["test"][0].measure(accelerator, model, parts["test"][1])
    if accelerator.is_main_process:
        finish(run, measured, epochs)
    accelerator.end_training()


def train(run: BarcodeRun, parts: dict[str, Named]) -> int:
    """Take epochs from where the run was stopped, until the validation gets no better; give how many there were."""
    accelerator, model, recipe = run.accelerator, run.model, run.recipe
    task, sampler = parts["train"]
    progress = run.resume()
    best, best_epoch = progress.get("best", -1.0), progress.get("best_epoch", 0)
    epoch = progress["step"] // sampler.steps
    meter, bar = Meter(accelerator), run.bar(progress["step"])
    while epoch < recipe.epochs and epoch - best_epoch < recipe.patience:
        model.train()
        if recipe.freeze:
            accelerator.unwrap_model(model).bert.eval()  # no dropout in what does not learn
        meter.clear()
        epoch += 1
        steps = run.steps_from((epoch - 1) * sampler.steps, epoch * sampler.steps, lambda share, _: task.inputs(share))
        for step, given in steps:
            pieces = [piece.to(accelerator.device) for piece in given]
            meter.add(run.learn(step, pieces, recipe.rank), pieces)
            bar.update()
            done = step + 1
            if done % run.watching.log_every == 0 or done == epoch * sampler.steps:
                line = run.read(meter, done)
                run.log(done, line)
                bar.set_postfix(loss=f"{line['loss']:.3f}", tokens=f"{line['tokens_per_second']:,.0f}/s")

        measured = parts["validation"][0].measure(accelerator, model, parts["validation"][1])
        run.log(epoch * sampler.steps, {f"validation_{name}": value for name, value in measured.items()})
        accuracy = mean_accuracy(measured, recipe.rank)
        if accuracy > best:
            best, best_epoch = accuracy, epoch
            if accelerator.is_main_process:
                save_best(accelerator.unwrap_model(model), run.folder / BEST)
        run.save(epoch * sampler.steps, best=best, best_epoch=best_epoch)
    bar.close()
    accelerator.wait_for_everyone()
    return epoch


def save_best(model: BarcodeBertForSequenceClassification, path: Path) -> None:
    """Keep the weights of the best epoch so far; replaced at once."""
    beside = path.with_suffix(".new")
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, beside)
    beside.replace(path)


def finish(run: BarcodeRun, measured: dict[str, dict[str, float]], epochs: int) -> None:
    """Save records, model, tokenizer and card beside the log; push them if asked to."""
    recipe, table = run.recipe, run.sampler.table
    where = {"data_revision": table.about["digest"], "seed": recipe.seed, "processes": run.accelerator.num_processes}
    records = [
        record
        for split, values in measured.items()
        for record in report.make_records(
            "names of barcodes", values, data=f"{public_name(recipe.dataset)} {split}", **where
        )
    ]
    report.write_results(run.folder, records)
    model = run.accelerator.unwrap_model(run.model).cpu()
    save_stock(model, run.folder)
    Lineages.from_dataset(recipe.dataset, model.config.labels).save(run.folder)
    sureness = calibrated(run.folder, recipe, run.accelerator.device)
    report.logger.info("%s", sureness)
    place = run.watching.push_to_hub or recipe.output
    name = Path(place).name
    ranks = ", ".join(f"{rank} ({len(names):,} names)" for rank, names in model.config.labels.items())
    card = report.make_card(
        f"BarcodeBERT that names barcodes: {', '.join(recipe.rank)}",
        front_matter(
            name,
            "text-classification",
            dataset=recipe.dataset,
            license=run.watching.license,
            base_model=recipe.model,
            figures=record_figures(map(asdict, records), name, recipe.dataset),
        ),
        recipe,
        way="classifier",
        rank=max(recipe.rank, key=LABELS.index),
        place=place,
        what=f"A classifier of DNA barcodes (COI) at the ranks {ranks}, which pools by the mean of the hidden states.",
        records=records,
        training=f"{table.about['barcodes']:,} distinct barcodes with labels, of `{recipe.train}`; {epochs} epochs "
        f"of {run.sampler.steps:,} steps; the weights are those of the epoch with the best accuracy on "
        f"`{recipe.validation}`. {'The encoder was frozen.' if recipe.freeze else 'All weights were trained.'} "
        "Accuracies are over distinct barcodes whose name occurs in the training data.",
        revision=table.about["digest"],
        limits="It knows the names it was trained on and no others, and its scores always favour one of them. "
        f"`bioscan5m predict` leaves a name empty where it is not sure enough. {sureness}",
    )
    write_text(run.folder / "README.md", card)
    report.logger.info("saved %s", run.folder)
    if run.watching.push_to_hub:
        report.logger.info("pushed to %s", push(run.folder, run.watching.push_to_hub, repo_type="model").url)


def calibrated(folder: Path, recipe: FinetuningRecipe, device: torch.device) -> str:
    """Fit thresholds of each head into `thresholds*.json`; say what came of it, or why there are none."""
    for stale in [FILE, *(f"thresholds-{rank}.json" for rank in LABELS)]:  # those of keys are not of this run
        (folder / stale).unlink(missing_ok=True)
    by_hand = f"`bioscan5m calibrate` with `--model {folder}` fits them."
    if recipe.calibration is None:
        return f"No thresholds were fitted, as was asked for; {by_hand}"
    try:
        labelled = open_input(recipe.dataset, recipe.calibration)
        fitted = {}
        for rank in sorted(recipe.rank, key=LABELS.index, reverse=True):
            model = BarcodeClassifier.from_pretrained(folder, device=device)
            fitted[rank] = calibrate(Classification(model, rank), labelled)
    except (Bioscan5mError, ValueError) as error:
        return f"No thresholds could be fitted on `{recipe.calibration}` ({error}); {by_hand}"
    for number, (rank, found) in enumerate(fitted.items()):
        found.save(folder / FILE if number == 0 else folder / f"thresholds-{rank}.json")
    said = "; ".join(f"{rank}: {found.ranks[rank]}" for rank, found in fitted.items())
    return (
        f"Thresholds, fitted on `{recipe.calibration}` so that {100 * SHARE:.0f} % of given names are right: {said}."
    )


if __name__ == "__main__":
    command_line(main)
