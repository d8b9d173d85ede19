"""Pretrain a BarcodeBERT on the barcodes of a dataset: masked k-mers, or a masked auto-encoder.

    accelerate launch training/pretrain_barcodebert.py --config training/configs/barcodebert-8-4-4.yaml

A run that was stopped goes on from its last checkpoint when the same command is given again.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path

import torch
from accelerate.utils import set_seed
from tqdm import tqdm

from bioscan5m_hf.hub.push import push
from bioscan5m_hf.learning import report
from bioscan5m_hf.learning.batches import Sampler
from bioscan5m_hf.learning.meter import Meter, NotFinite, explain, without_weights_in_norms
from bioscan5m_hf.learning.pretraining import PretrainingRecipe, Task, Validation, masked_accuracy
from bioscan5m_hf.learning.run import (
    Run,
    Steps,
    check_recipe,
    command_line,
    describe,
    learn,
    read_arguments,
    set_schedule,
    start_accelerator,
)
from bioscan5m_hf.learning.sources import load_table
from bioscan5m_hf.learning.tables import BarcodeTable
from bioscan5m_hf.models import barcodebert
from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertForMaskedLM
from bioscan5m_hf.models.barcodebert.export_barcodebert import save_stock


logger = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> None:
    """Train, validate, save; and push if asked to."""
    recipe, watching = read_arguments(PretrainingRecipe, __doc__, arguments)
    output = Path(recipe.output)
    check_recipe(output, recipe)
    config = BarcodeBertConfig(**recipe.architecture)
    k, layout = config.kmer_size, config.token_layout
    output.mkdir(parents=True, exist_ok=True)
    accelerator = start_accelerator(recipe.precision, watching, output)

    # The barcodes: encoded once, by one process of each machine.
    with accelerator.local_main_process_first():
        held_out = None
        if recipe.validation:
            held_out = load_table(recipe.dataset, recipe.validation, layout=layout, streaming=recipe.streaming)
        table = load_table(
            recipe.dataset,
            recipe.split,
            layout=layout,
            extra=recipe.extra,
            streaming=recipe.streaming,
            without=held_out,
        )
    processes = accelerator.num_processes
    sampler = Sampler(
        table, recipe.framing(k), recipe.seed, recipe.batch_size, recipe.micro_batch_size, processes=processes
    )
    task = Task(
        table, k, layout, recipe.masking, recipe.objective == "autoencoder", config.loss_positions == "all_bases"
    )
    validation = None if held_out is None else Validation.of(recipe, held_out, k, layout, processes)
    steps = math.ceil(recipe.epochs * sampler.steps)

    # The model, equal on all processes; dropout differs.
    set_seed(recipe.seed)
    model = (barcodebert.BarcodeBertForMaskedAutoencoding if task.autoencoder else BarcodeBertForMaskedLM)(config)
    if recipe.gradient_checkpointing:
        model.gradient_checkpointing_enable()
    if recipe.compile:
        model.compile()
    groups = list(without_weights_in_norms(model, recipe.weight_decay))
    optimizer = torch.optim.AdamW(groups, lr=recipe.peak_learning_rate, fused=True)
    model, optimizer = accelerator.prepare(model, optimizer)
    set_seed(recipe.seed, device_specific=True)

    # The run: new, or from where it was stopped.
    run = Run(output, recipe, accelerator, steps, table.about["digest"])
    start = run.resume()["step"]
    if watching.log_with:
        accelerator.init_trackers("barcodebert", config=describe(recipe))
    meter = Meter(accelerator)
    measured: dict[str, float] = {}
    silent = None if accelerator.is_main_process else True
    bar = tqdm(total=steps, initial=start, unit="step", desc="pretraining", disable=silent, smoothing=0.05)
    model.train()
    meter.clear()

    def inputs(share, epoch):  # noqa: ANN001, ANN202
        return task.inputs(share, recipe.seed, epoch)

    for step, pieces in Steps(sampler, inputs, start, steps, accelerator.process_index):
        pieces = [piece.to(accelerator.device) for piece in pieces]
        predicted = torch.tensor(sum(piece.predicted for piece in pieces), device=accelerator.device)
        count = accelerator.reduce(predicted, "sum").clamp(min=1)
        rate = set_schedule(optimizer, recipe, step, steps)
        loss = learn(accelerator, model, optimizer, pieces, count, recipe.clip)
        meter.add(loss, sum(piece.tokens for piece in pieces), sum(piece.places for piece in pieces))
        done = step + 1
        bar.update()

        saves = done % recipe.save_every == 0 or done == steps
        if done % watching.log_every == 0 or saves:
            try:
                line = meter.read()
            except NotFinite as bad:
                epoch, place = divmod(done - bad.ago, sampler.steps)
                raise explain(done - bad.ago + 1, bad.loss, sampler.epoch(epoch).processids(place)) from None
            accuracy = masked_accuracy(accelerator, model, pieces, config.layout.mask)
            line = {"step": done, "epoch": done / sampler.steps, "lr": rate, "masked_accuracy": accuracy, **line}
            run.journal.write(line)
            accelerator.log(line, step=done)
            bar.set_postfix(loss=f"{line['loss']:.3f}", tokens=f"{line['tokens_per_second']:,.0f}/s")
        if saves:
            if validation is not None:
                measured = validation.measure(accelerator, model)
                run.journal.write({"step": done, "epoch": done / sampler.steps, **measured})
                accelerator.log(measured, step=done)
            run.save(done)
            meter.clear()
    bar.close()
    if watching.log_with:
        accelerator.end_training()
    if validation is not None and not measured:  # the run had been finished before
        measured = validation.measure(accelerator, model)

    # Model, tokenizer, card and records; the log is there already.
    if accelerator.is_main_process:
        finished = accelerator.unwrap_model(model).cpu()
        on = "" if validation is None else f"{recipe.validation}: {validation.predicted}"
        records = report.make_records(
            "masked k-mers",
            measured,
            data=on,
            data_revision=table.about["digest"],
            seed=recipe.seed,
            processes=processes,
        )
        report.write_results(output, records)
        save_stock(finished, output, card=make_card(recipe, config, table, steps, records, watching.push_to_hub))
        logger.info("saved %s", output)
        if watching.push_to_hub:
            logger.info("pushed to %s", push(output, watching.push_to_hub, repo_type="model").url)
    accelerator.wait_for_everyone()


def make_card(
    recipe: PretrainingRecipe,
    config: BarcodeBertConfig,
    table: BarcodeTable,
    steps: int,
    records: list[report.Record],
    repository: str | None,
) -> str:
    """Write the model's card from what happened."""
    about = table.about
    shape = f"{config.num_hidden_layers} layers, {config.num_attention_heads} heads, width {config.hidden_size}"
    seen = "the encoder saw the visible k-mers only and a light decoder filled the rest"
    hidden = f"{100 * recipe.mask_ratio:g} % of the k-mers were hidden"
    return report.make_card(
        f"BarcodeBERT, {config.kmer_size}-mers, {shape}",
        report.front_matter(recipe.dataset, "feature-extraction"),
        what=f"An encoder of DNA barcodes (COI): BERT over {config.kmer_size}-mers that do not overlap, {shape}. "
        "It was pretrained without labels. The embedding of a barcode is the mean of the last hidden states.",
        use=USE.replace("PATH", repr(repository or recipe.output)),
        records=records,
        training=f"{about['barcodes']:,} distinct barcodes ({about['bases']:,} bases) of `{recipe.split}`"
        f"{' and further reads' if recipe.extra else ''}, {recipe.epochs:g} epochs, {steps:,} steps of "
        f"{recipe.batch_size} barcodes; {hidden}{', ' + seen if recipe.objective == 'autoencoder' else ''}.",
        recipe=recipe,
        revision=about["digest"],
        limits="Trained on barcodes of the kind described above; how it does on other taxa, markers or lengths was "
        "not measured in this run. Masked accuracy says how well k-mers are filled in, not how well specimens are "
        "named.",
    )


USE = """```python
from transformers import AutoModel, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(PATH)
model = AutoModel.from_pretrained(PATH)
tokens = tokenizer(["AACTTTATATTTTATTTTTGG"], return_tensors="pt")
hidden = model(**tokens).last_hidden_state
mask = tokens["attention_mask"][..., None]
embedding = (hidden * mask).sum(1) / mask.sum(1)
```

or `SentenceTransformer(PATH).encode([...])`, or `bioscan5m_hf.BarcodeEncoder.from_pretrained(PATH).embed([...])`."""


if __name__ == "__main__":
    command_line(main)
