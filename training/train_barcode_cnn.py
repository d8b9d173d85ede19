"""Train the convolutional baseline to name seen species, as the authors of BarcodeBERT do; measure it on test.

It takes minutes, so a run that was stopped starts anew.

    accelerate launch training/train_barcode_cnn.py --dataset bioscan-5m --output barcode-cnn
    bioscan5m evaluate barcode-cnn --data bioscan-5m --tasks dna --out results
"""

from __future__ import annotations

import functools
import json
from dataclasses import asdict
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch.utils.data import DataLoader
from tqdm import tqdm

from bioscan5m_hf.data.manifest import write_text
from bioscan5m_hf.dna import STANDARD
from bioscan5m_hf.hub.cards import front_matter, public_name
from bioscan5m_hf.hub.push import push
from bioscan5m_hf.hub.records import record_figures
from bioscan5m_hf.learning import report
from bioscan5m_hf.learning.command import Watching, command_line, describe, read_arguments, start_accelerator
from bioscan5m_hf.learning.convolution import ConvolutionalRecipe, named_rows, pictures
from bioscan5m_hf.learning.finetuning import NamingTask, class_names
from bioscan5m_hf.learning.journal import Journal
from bioscan5m_hf.learning.meter import explain
from bioscan5m_hf.learning.recipe import write_recipe
from bioscan5m_hf.learning.run import LOG, RECIPE, check_recipe
from bioscan5m_hf.learning.sources import load_table
from bioscan5m_hf.learning.tables import TableError
from bioscan5m_hf.models.barcode_cnn import BarcodeCNN


def main(arguments: list[str] | None = None) -> None:
    """Train, measure, save; and push if asked to."""
    recipe, watching = read_arguments(ConvolutionalRecipe, __doc__, arguments)
    output = Path(recipe.output)
    check_recipe(output, recipe)
    output.mkdir(parents=True, exist_ok=True)
    accelerator = start_accelerator(recipe.precision, watching, output)

    with accelerator.local_main_process_first():
        splits = {"train": recipe.train, "validation": recipe.validation, "test": recipe.test}
        loading = {"layout": STANDARD.name, "labels": (recipe.rank,), "streaming": recipe.streaming}
        tables = {name: load_table(recipe.dataset, split, **loading) for name, split in splits.items() if split}
    names = class_names(tables["train"], (recipe.rank,))
    tasks = {name: NamingTask.of(table, 1, STANDARD.name, names) for name, table in tables.items()}
    for name, task in tasks.items():
        if not named_rows(task, recipe.rank):
            lost = f"no barcode of {splits[name]} has a {recipe.rank} that {recipe.train} has"
            raise TableError(f"{lost}: name other splits")
    loaders = {name: loader(task, recipe, learns=name == "train") for name, task in tasks.items()}

    set_seed(recipe.seed)
    model = BarcodeCNN(names[recipe.rank], recipe.rank, kernel_width=recipe.kernel_width)
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate)
    model, optimizer = accelerator.prepare(model, optimizer)
    loaders = {name: accelerator.prepare(each) for name, each in loaders.items()}
    journal = Journal(output / LOG, accelerator.is_main_process)
    journal.rewind(0)
    if watching.log_with:
        accelerator.init_trackers("barcode-cnn", config=describe(recipe))
    for epoch in range(recipe.epochs):
        loss = take_epoch(accelerator, model, optimizer, loaders["train"], tasks["train"])
        accuracy = measure(accelerator, model, loaders["validation"])
        step, line = (epoch + 1) * len(loaders["train"]), {"loss": loss, "validation_accuracy": accuracy}
        journal.write({"step": step, "epoch": epoch + 1, **line})
        accelerator.log(line, step=step)
    measured = {recipe.validation: accuracy}
    if recipe.test:
        measured[recipe.test] = measure(accelerator, model, loaders["test"])
    if accelerator.is_main_process:
        revision = str(tables["train"].about["digest"])
        finish(accelerator.unwrap_model(model).cpu(), recipe, watching, measured, accelerator.num_processes, revision)
    accelerator.end_training()


def loader(task: NamingTask, recipe: ConvolutionalRecipe, *, learns: bool) -> DataLoader:
    """Give pictures and classes of the rows that have a name, in batches; a last row by itself is left out."""
    rows = named_rows(task, recipe.rank)
    return DataLoader(
        rows,
        recipe.batch_size,
        shuffle=learns,
        generator=torch.Generator().manual_seed(recipe.seed),
        collate_fn=functools.partial(pictures, task, recipe.rank),
        drop_last=learns and len(rows) % recipe.batch_size == 1,  # batch norm needs two
    )


def take_epoch(
    accelerator: Accelerator,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: DataLoader,
    task: NamingTask,
) -> float:
    """Learn from each barcode once; give the mean loss of the steps.

    Raises:
        LossError: the loss of a step is not a finite number; the specimens of this process are named.
    """
    model.train()
    losses = []
    bar = tqdm(batches, unit="step", disable=None if accelerator.is_main_process else True)
    for step, (shown, classes, rows) in enumerate(bar, 1):
        with accelerator.autocast():
            loss = torch.nn.functional.cross_entropy(model(shown), classes)
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.detach().float())
        if not torch.isfinite(losses[-1]):
            raise explain(step, losses[-1].item(), task.table.processids(rows.cpu().numpy()))
    return float(accelerator.gather(torch.stack(losses).mean()).mean())


@torch.inference_mode()
def measure(accelerator: Accelerator, model: torch.nn.Module, batches: DataLoader) -> float:
    """Give the share of barcodes that are named rightly; names that are no class are not asked."""
    model.eval()
    right = [accelerator.gather_for_metrics(model(shown).argmax(-1) == classes) for shown, classes, _ in batches]
    return float(torch.cat(right).float().mean())


def finish(
    model: BarcodeCNN,
    recipe: ConvolutionalRecipe,
    watching: Watching,
    measured: dict[str, float],
    processes: int,
    revision: str,
) -> None:
    """Save records, model, recipe and card beside the log; push them if asked to."""
    output = Path(recipe.output)
    records = [
        record
        for split, accuracy in measured.items()
        for record in report.make_records(
            "names of barcodes",
            {f"{recipe.rank}_accuracy": accuracy},
            data=f"{public_name(recipe.dataset)} {split}",
            data_revision=revision,
            seed=recipe.seed,
            processes=processes,
        )
    ]
    report.write_results(output, records)
    write_recipe(recipe, output / RECIPE)
    place = watching.push_to_hub or recipe.output
    figures = record_figures(map(asdict, records), Path(place).name, recipe.dataset)
    front = front_matter(
        Path(place).name, "text-classification", dataset=recipe.dataset, license=watching.license, figures=figures
    )
    card = report.make_card(
        f"Convolutional baseline that names barcodes: {recipe.rank}",
        front | {"library_name": "bioscan5m-hf"},
        recipe,
        way="cnn",
        place=place,
        what=f"A small convolutional network over one-hot DNA barcodes (COI) that knows {len(model.labels):,} names "
        f"at the rank {recipe.rank}: what BarcodeBERT is compared with.",
        records=records,
        training=f"{recipe.epochs} epochs over the distinct barcodes of `{recipe.train}` that have a name; the "
        "weights are those of the last one. Accuracies are over distinct barcodes whose name occurs in the training "
        "data.",
        revision=revision,
        limits="It knows the names it was trained on and no others, and its scores always favour one of them.",
    )
    write_text(output / "README.md", card)
    model.save_pretrained(output)
    config = json.loads((output / "config.json").read_text(encoding="utf-8"))
    write_text(output / "config.json", json.dumps(config | {"pretrained_on": recipe.train.split("+")}, indent=2))
    report.logger.info("saved %s", output)
    if watching.push_to_hub:
        report.logger.info("pushed to %s", push(output, watching.push_to_hub, repo_type="model").url)


if __name__ == "__main__":
    command_line(main)
