"""Pretrain a BarcodeBERT on the barcodes of a dataset: masked k-mers, a masked auto-encoder, or profiles as well.

    accelerate launch training/pretrain_barcodebert.py --config training/configs/barcodebert-8-4-4.yaml

A run that was stopped goes on from its last checkpoint when the same command is given again.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import torch
from accelerate.utils import set_seed

from bioscan5m_hf.hub.cards import front_matter
from bioscan5m_hf.hub.push import push
from bioscan5m_hf.hub.records import record_figures
from bioscan5m_hf.learning import report
from bioscan5m_hf.learning.barcode_run import BarcodeRun
from bioscan5m_hf.learning.batches import Sampler
from bioscan5m_hf.learning.command import command_line, read_arguments, start_accelerator
from bioscan5m_hf.learning.meter import Meter, choose_attention, compile_model, grouped
from bioscan5m_hf.learning.pretraining import PretrainingRecipe, Task, Validation, masked_accuracy
from bioscan5m_hf.learning.profiles import profiles_of
from bioscan5m_hf.learning.run import CHECKPOINTS, check_recipe
from bioscan5m_hf.learning.sources import load_table
from bioscan5m_hf.learning.tables import BarcodeTable
from bioscan5m_hf.models.barcodebert import (
    BarcodeBertConfig,
    BarcodeBertForMaskedAutoencoding,
    BarcodeBertForMaskedLM,
)
from bioscan5m_hf.models.barcodebert.export_barcodebert import save_stock
from bioscan5m_hf.splits import parse


def main(arguments: list[str] | None = None) -> None:
    """Train, validate, save; and push if asked to."""
    recipe, watching = read_arguments(PretrainingRecipe, __doc__, arguments)
    output = Path(recipe.output)
    check_recipe(output, recipe)
    seen = [*parse(recipe.split), *(Path(name).name for name in recipe.extra)]
    config = BarcodeBertConfig(**{"pretrained_on": seen, **recipe.architecture})
    k, layout, autoencoder = config.kmer_size, config.token_layout, recipe.objective == "autoencoder"
    output.mkdir(parents=True, exist_ok=True)
    accelerator = start_accelerator(recipe.precision, watching, output)

    # The barcodes: encoded by one process of each machine, then memory-mapped by all.
    with accelerator.local_main_process_first():
        table, held_out = load_barcodes(recipe, layout)
        profiles = None
        if recipe.objective == "profile":
            name = f"profiles-{table.about['digest']}-{config.hidden_size}-{recipe.seed}.npy"
            profiles = profiles_of(table, config.hidden_size, recipe.seed, output / CHECKPOINTS / name)
    processes = accelerator.num_processes
    batching = recipe.seed, recipe.batch_size, recipe.micro_batch_size, processes
    sampler = Sampler(table, recipe.framing(k), *batching)
    task = Task(table, k, layout, recipe.masking, autoencoder, config.loss_positions, profiles)
    validation = held_out and Validation.of(recipe, held_out, k, layout, processes)

    # The model: the same weights in all processes, other dropout in each.
    set_seed(recipe.seed)
    model = BarcodeBertForMaskedAutoencoding(config) if autoencoder else BarcodeBertForMaskedLM(config)
    choose_attention(model, accelerator.device)
    if recipe.gradient_checkpointing:
        model.activation_checkpointing_enable()
    if recipe.compile:
        compile_model(model)
    optimizer = torch.optim.AdamW(grouped(model, recipe.weight_decay), lr=recipe.peak_learning_rate, fused=True)
    model, optimizer = accelerator.prepare(model, optimizer)
    set_seed(recipe.seed, device_specific=True)

    steps = math.ceil(recipe.epochs * sampler.steps)
    run = BarcodeRun.of(output, recipe, watching, accelerator, model, optimizer, sampler, steps)
    measured = train(run, task, validation, config.layout.mask)
    if accelerator.is_main_process:
        finish(run, measured, "" if validation is None else f"{recipe.validation}: {validation.predicted}")
    accelerator.end_training()


def load_barcodes(recipe: PretrainingRecipe, layout: str) -> tuple[BarcodeTable, BarcodeTable | None]:
    """Load the barcodes to learn from, and those of the validation, which are left out of the first."""
    held_out = None
    if recipe.validation:
        held_out = load_table(recipe.dataset, recipe.validation, layout=layout, streaming=recipe.streaming)
    table = load_table(
        recipe.dataset, recipe.split, layout=layout, extra=recipe.extra, streaming=recipe.streaming, without=held_out
    )
    return table, held_out


def train(run: BarcodeRun, task: Task, validation: Validation | None, mask: int) -> dict[str, float]:
    """Take the steps of the run from where it was stopped, if it was; give what the last validation found."""
    accelerator, model, recipe = run.accelerator, run.model, run.recipe
    start = run.resume()["step"]
    meter, bar, measured = Meter(accelerator), run.bar(start), {}
    model.train()
    for step, given in run.steps_from(start, run.steps, lambda share, epoch: task.inputs(share, recipe.seed, epoch)):
        pieces = [piece.to(accelerator.device) for piece in given]
        meter.add(run.learn(step, pieces, task.heads), pieces)
        bar.update()

        done = step + 1
        saves = done % recipe.save_every == 0 or done == run.steps
        if done % run.watching.log_every == 0 or saves:
            line = run.read(meter, done)
            line["masked_accuracy"] = masked_accuracy(accelerator, model, pieces, mask)
            run.log(done, line)
            bar.set_postfix(loss=f"{line['loss']:.3f}", tokens=f"{line['tokens_per_second']:,.0f}/s")
            meter.clear()
        if saves:
            if validation is not None:
                measured = validation.measure(accelerator, model)
                run.log(done, measured)
            run.save(done)
            meter.clear()
    bar.close()
    if validation is not None and not measured:  # the run had been finished before
        measured = validation.measure(accelerator, model)
    return measured


def finish(run: BarcodeRun, measured: dict[str, float], on: str) -> None:
    """Save records, model, tokenizer and card beside the log; push them if asked to."""
    revision, processes = run.sampler.table.about["digest"], run.accelerator.num_processes
    where = {"data": on, "data_revision": revision, "seed": run.recipe.seed, "processes": processes}
    records = report.make_records("masked k-mers", measured, **where)
    report.write_results(run.folder, records)
    model = run.accelerator.unwrap_model(run.model).cpu()
    save_stock(model, run.folder, card=make_card(run, model.config, records))
    report.logger.info("saved %s", run.folder)
    if run.watching.push_to_hub:
        pushed = push(run.folder, run.watching.push_to_hub, repo_type="model")
        report.logger.info("pushed to %s", pushed.url)


def make_card(run: BarcodeRun, config: BarcodeBertConfig, records: list[report.Record]) -> str:
    """Write the model's card from what happened."""
    recipe, about = run.recipe, run.sampler.table.about
    place = run.watching.push_to_hub or recipe.output
    name = Path(place).name
    shape = f"{config.num_hidden_layers} layers, {config.num_attention_heads} heads, width {config.hidden_size}"
    hidden = f"{100 * recipe.mask_ratio:g} % of the k-mers were hidden{OBJECTIVES[recipe.objective]}"
    return report.make_card(
        f"BarcodeBERT, {config.kmer_size}-mers, {shape}",
        front_matter(
            name,
            "feature-extraction",
            dataset=recipe.dataset,
            license=run.watching.license,
            figures=record_figures(map(asdict, records), name, recipe.dataset),
        ),
        recipe,
        way="encoder",
        place=place,
        what=f"An encoder of DNA barcodes (COI): BERT over {config.kmer_size}-mers that do not overlap, {shape}. "
        "It was pretrained without labels. The embedding of a barcode is the mean of the last hidden states.",
        records=records,
        training=f"{about['barcodes']:,} distinct barcodes ({about['bases']:,} bases) of `{recipe.split}`"
        f"{' and further reads' if recipe.extra else ''}, {recipe.epochs:g} epochs, {run.steps:,} steps of "
        f"{recipe.batch_size} barcodes; {hidden}.",
        revision=about["digest"],
        limits="Trained on barcodes of the kind described above; how it does on other taxa, markers or lengths was "
        "not measured in this run. Masked accuracy says how well k-mers are filled in, not how well specimens are "
        "named.",
    )


OBJECTIVES = {
    "mlm": "",
    "autoencoder": ", the encoder saw the visible ones only and a light decoder filled the rest",
    "profile": ", and the mean of the hidden states had to tell how the barcode departs from what is common",
}
"""What a recipe's objective asks for beside hidden k-mers."""


if __name__ == "__main__":
    command_line(main)
