"""BarcodeBERT: pooling, losses and heads, on every attention path that a processor has."""

import pytest
import torch
from transformers.models.bert.modeling_bert import BertForMaskedLM, BertForTokenClassification, BertModel

from bioscan5m_hf.models.barcodebert import (
    BarcodeBertConfig,
    BarcodeBertForMaskedAutoencoding,
    BarcodeBertForMaskedLM,
    BarcodeBertForSequenceClassification,
    BarcodeBertModel,
    masked_mean,
    packed_positions,
    save_stock,
)


LABELS = {"genus": ["Aus", "Bus", "Cus"], "species": ["Aus aus", "Bus bus"]}


def tiny(**values):
    """Give a small configuration without dropout."""
    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    quiet = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return BarcodeBertConfig(**({"kmer_size": 2, "initializer_range": 0.3} | small | quiet | values))


def build(cls, seed=0, **values):
    torch.manual_seed(seed)
    return cls(tiny(**values)).eval()


def batch(rows=4, length=12, k=2, seed=0):
    """Give ids of unequal rows, their mask, which k-mers are hidden, and the labels there."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, 3 + 4**k, (rows, length), generator=generator)
    mask = torch.arange(length) < torch.tensor([length, length - 3, length, 5][:rows]).unsqueeze(1)
    hidden = (torch.rand(rows, length, generator=generator) < 0.5) & mask
    return ids.masked_fill(~mask, 0), mask.long(), hidden, ids.masked_fill(~hidden, -100)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_padding_does_not_change_the_mean_and_empty_rows_are_zero(dtype):
    hidden = torch.randn(3, 5, 8).to(dtype)
    hidden[1, 3:] = float("nan")
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]])
    pooled = masked_mean(hidden, mask)
    assert pooled.dtype == dtype
    assert torch.allclose(pooled[1], hidden[1, :3].float().mean(0).to(dtype))
    assert torch.equal(pooled[2], torch.zeros(8, dtype=dtype))


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_row_without_tokens_gives_no_nan(attention):
    model = build(BarcodeBertModel)
    model.set_attn_implementation(attention)
    ids, mask, _, _ = batch()
    mask[2] = 0
    with torch.no_grad():
        hidden = model(ids, attention_mask=mask).last_hidden_state
    assert torch.isfinite(masked_mean(hidden, mask)).all()
    assert (masked_mean(hidden, mask)[2] == 0).all()


def test_the_encoder_is_stock_bert_by_name_and_number():
    model = build(BarcodeBertModel)
    stock = BertModel(model.config, add_pooling_layer=False).eval()
    stock.load_state_dict(model.state_dict(), strict=True)
    ids, mask, _, _ = batch()
    with torch.no_grad():
        assert torch.equal(model(ids, mask).last_hidden_state, stock(ids, mask).last_hidden_state)


@pytest.mark.parametrize(("head", "cls"), [("bert", BertForMaskedLM), ("linear", BertForTokenClassification)])
def test_the_heads_are_stock_by_name_and_number(head, cls):
    model = build(BarcodeBertForMaskedLM, mlm_head=head)
    model.config.num_labels = 16
    stock = cls(model.config).eval()
    stock.load_state_dict(model.state_dict(), strict=True)
    ids, mask, _, _ = batch()
    with torch.no_grad():
        ours = model(ids, attention_mask=mask)
        assert torch.equal(ours.logits, stock(ids, attention_mask=mask).logits)
    assert ours.logits.shape[-1] == (19 if head == "bert" else 16)


@pytest.mark.parametrize("head", ["bert", "linear"])
def test_the_loss_of_the_labelled_positions_is_the_loss_over_all_logits(head):
    model = build(BarcodeBertForMaskedLM, mlm_head=head)
    ids, mask, _, labels = batch()
    with torch.no_grad():
        logits = model(ids, attention_mask=mask).logits
        output = model(ids, attention_mask=mask, labels=labels)
    assert output.logits is None
    target = labels.where(labels == -100, labels - model.first_logit)
    wanted = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())
    assert output.loss.item() == pytest.approx(wanted.item(), abs=1e-6)
    assert output.correct == ((logits.argmax(-1) == target) & (target != -100)).sum()


@pytest.mark.parametrize("multiple", [1, 8])
def test_positions_that_are_given_change_nothing(multiple):
    model = build(BarcodeBertForMaskedLM, loss_positions="all_bases", masked_weight=0.7)
    ids, mask, hidden, _ = batch()
    labels, shown = ids.masked_fill(mask == 0, -100), ids.masked_fill(hidden, 2)
    predicted = packed_positions(labels != -100, multiple)
    plain = model(shown, attention_mask=mask, labels=labels)
    packed = model(shown, attention_mask=mask, labels=labels, predicted=predicted)
    assert predicted.shape[1] == (12 if multiple == 1 else 16)
    assert packed.loss.item() == pytest.approx(plain.loss.item(), abs=1e-6)
    assert packed.correct == plain.correct


def test_the_sum_of_parts_over_the_common_count_is_the_whole():
    model = build(BarcodeBertForMaskedLM)
    ids, mask, _, labels = batch()
    count = (labels != -100).sum()
    whole = model(ids, attention_mask=mask, labels=labels).loss
    parts = [model(ids[rows], attention_mask=mask[rows], labels=labels[rows], num_items_in_batch=count).loss
             for rows in (slice(0, 1), slice(1, 4))]  # fmt: skip
    assert sum(parts).item() == pytest.approx(whole.item(), abs=1e-6)


def test_hidden_and_visible_k_mers_are_weighed_by_the_share():
    ids, mask, hidden, _ = batch()
    shown, labels = ids.masked_fill(hidden, 2), ids.masked_fill(mask == 0, -100)
    losses = {}
    for share in (0.0, 0.5, 1.0):
        model = build(BarcodeBertForMaskedLM, loss_positions="all_bases", masked_weight=share)
        losses[share] = model(shown, attention_mask=mask, labels=labels).loss.item()
    mean = build(BarcodeBertForMaskedLM)(shown, attention_mask=mask, labels=labels).loss.item()
    assert losses[0.5] == pytest.approx(mean, abs=1e-6)
    assert (losses[0.0] + losses[1.0]) / 2 == pytest.approx(mean, abs=1e-6)
    assert losses[0.0] != pytest.approx(losses[1.0], abs=1e-3)


@pytest.mark.parametrize("cls", [BarcodeBertForMaskedLM, BarcodeBertForMaskedAutoencoding])
def test_a_batch_with_nothing_to_predict_costs_nothing(cls):
    model = build(cls)
    ids, mask, hidden, labels = batch()
    if cls is BarcodeBertForMaskedLM:
        loss = model(ids, attention_mask=mask, labels=torch.full_like(labels, -100)).loss
    else:
        loss = model(ids, attention_mask=mask, masked=torch.zeros_like(hidden)).loss
    assert loss.item() == 0


def test_the_loss_over_all_bases_needs_ids():
    model = build(BarcodeBertForMaskedLM, loss_positions="all_bases")
    with pytest.raises(ValueError, match="needs input_ids"):
        model(inputs_embeds=torch.zeros(1, 3, 16), labels=torch.full((1, 3), 4))


def test_gradient_checkpointing_changes_no_gradient():
    ids, mask, _, labels = batch()
    gradients = []
    for checkpointing in (False, True):
        model = build(BarcodeBertForMaskedLM).train()
        if checkpointing:
            model.activation_checkpointing_enable()
        model(ids, attention_mask=mask, labels=labels).loss.backward()
        gradients.append(model.bert.embeddings.word_embeddings.weight.grad)
    assert torch.allclose(*gradients, atol=1e-6)


def test_the_padding_row_stays_zero_and_the_mask_row_trains():
    model = build(BarcodeBertForMaskedLM, mlm_head="linear").train()
    ids, mask, hidden, labels = batch()
    model(ids.masked_fill(hidden, 2), attention_mask=mask, labels=labels).loss.backward()
    rows = model.bert.embeddings.word_embeddings
    assert (rows.weight[0] == 0).all()
    assert (rows.weight.grad[0] == 0).all()
    assert (rows.weight.grad[2] != 0).any()


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("cls", [BarcodeBertForMaskedLM, BarcodeBertForMaskedAutoencoding])
def test_a_training_step_compiles_into_one_graph(cls, given):
    model = build(cls).train()
    ids, mask, hidden, labels = batch()
    arguments = {"attention_mask": mask}
    if cls is BarcodeBertForMaskedLM:
        arguments |= {"input_ids": ids.masked_fill(hidden, 2), "labels": labels}
    else:
        arguments |= {"input_ids": ids, "masked": hidden}
    plain = model(**arguments).loss
    if given:
        arguments["predicted"] = packed_positions(hidden)
        if cls is BarcodeBertForMaskedAutoencoding:
            arguments["visible"] = packed_positions(mask.bool() & ~hidden)
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    loss = compiled(**arguments).loss
    loss.backward()
    assert loss.item() == pytest.approx(plain.item(), abs=1e-5)
    assert torch.isfinite(model.bert.embeddings.word_embeddings.weight.grad).all()


@pytest.mark.parametrize("cls", [BarcodeBertModel, BarcodeBertForSequenceClassification])
def test_inference_compiles_into_one_graph(cls):
    model = build(cls, labels=LABELS)
    ids, mask, _, _ = batch()
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    with torch.no_grad():
        ours, theirs = compiled(ids, attention_mask=mask)[0], model(ids, attention_mask=mask)[0]
    same = (
        torch.allclose if isinstance(ours, torch.Tensor) else lambda a, b, atol: torch.allclose(a["genus"], b["genus"])
    )
    assert same(ours, theirs, atol=1e-6)


def test_half_precision_stays_near(tmp_path):
    model = build(BarcodeBertForMaskedLM)
    ids, mask, _, labels = batch()
    plain = model(ids, attention_mask=mask, labels=labels).loss
    with torch.autocast("cpu", torch.bfloat16):
        half = model(ids, attention_mask=mask, labels=labels).loss
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(plain.item(), rel=0.05)


# -- masked auto-encoder


def test_the_encoder_sees_no_hidden_k_mer():
    model = build(BarcodeBertForMaskedAutoencoding)
    ids, mask, hidden, _ = batch()
    other = ids.where(~hidden, 3 + (ids - 2) % 16)
    visible = packed_positions(mask.bool() & ~hidden)
    at = visible >= 0
    assert not torch.equal(ids, other)
    assert torch.equal(model.encode(ids, visible)[at], model.encode(other, visible)[at])


def test_packing_gives_what_a_mask_of_attention_gives():
    model = build(BarcodeBertForMaskedAutoencoding)
    ids, mask, hidden, _ = batch()
    seen = mask.bool() & ~hidden
    visible = packed_positions(seen)
    packed = model.encode(ids, visible)
    whole = model.bert(ids, attention_mask=seen.long()).last_hidden_state
    for row in range(len(ids)):
        assert torch.allclose(packed[row, : seen[row].sum()], whole[row, seen[row]], atol=1e-5)


def test_padding_changes_no_loss_of_the_auto_encoder():
    model = build(BarcodeBertForMaskedAutoencoding)
    ids, mask, hidden, _ = batch()
    pad = torch.nn.functional.pad
    plain = model(ids, attention_mask=mask, masked=hidden)
    longer = model(pad(ids, (0, 5)), attention_mask=pad(mask, (0, 5)), masked=pad(hidden, (0, 5)))
    wider = model(ids, attention_mask=mask, masked=hidden, visible=packed_positions(mask.bool() & ~hidden, 8))
    assert longer.loss.item() == pytest.approx(plain.loss.item(), abs=1e-5)
    assert wider.loss.item() == pytest.approx(plain.loss.item(), abs=1e-5)
    assert longer.correct == plain.correct


def test_equal_rows_need_no_mask():
    model = build(BarcodeBertForMaskedAutoencoding)
    ids = batch()[0].clamp(min=3)
    hidden = torch.tensor([0, 1] * 6).bool().repeat(4, 1)
    visible = packed_positions(~hidden)
    plain = model(ids, masked=hidden).loss
    assert model(ids, masked=hidden, visible=visible, visible_padded=False).loss.item() == pytest.approx(plain.item())


def test_a_row_with_nothing_visible_gives_no_nan():
    model = build(BarcodeBertForMaskedAutoencoding).train()
    ids, mask, hidden, _ = batch()
    hidden[0] = True
    model(ids, attention_mask=mask, masked=hidden).loss.backward()
    assert all(torch.isfinite(weight.grad).all() for weight in model.parameters() if weight.grad is not None)
    model(ids, masked=torch.ones_like(hidden)).loss.backward()
    assert all(torch.isfinite(weight.grad).all() for weight in model.parameters() if weight.grad is not None)


@pytest.mark.parametrize("cls", [BarcodeBertForMaskedLM, BarcodeBertForMaskedAutoencoding])
def test_it_learns(cls):
    model = build(cls, initializer_range=0.05).train()
    ids, mask, hidden, labels = batch()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        inputs = {"masked": hidden, "input_ids": ids} if cls is BarcodeBertForMaskedAutoencoding else {
            "input_ids": ids.masked_fill(hidden, 2), "labels": labels}  # fmt: skip
        loss = model(attention_mask=mask, **inputs).loss
        optimizer.zero_grad()
        loss.backward()
        assert all(weight.grad is not None for weight in model.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_the_auto_encoder_says_what_it_needs():
    with pytest.raises(ValueError, match="needs masked="):
        build(BarcodeBertForMaskedAutoencoding)(torch.tensor([[3]]))


# -- classifier


def test_a_name_that_is_missing_at_a_rank_does_not_count_there():
    model = build(BarcodeBertForSequenceClassification, labels=LABELS)
    ids, mask, _, _ = batch()
    genus, species = torch.tensor([0, 1, 2, 1]), torch.tensor([-100, 1, -100, 0])
    with torch.no_grad():
        output = model(ids, attention_mask=mask, labels={"genus": genus, "species": species})
    entropy = torch.nn.functional.cross_entropy
    wanted = entropy(output.logits["genus"], genus) + entropy(output.logits["species"][[1, 3]], species[[1, 3]])
    assert output.loss.item() == pytest.approx(wanted.item() / 2, abs=1e-6)
    nothing = torch.full((4,), -100)
    with torch.no_grad():
        only = model(ids, attention_mask=mask, labels={"genus": genus, "species": nothing}).loss
    assert only.item() == pytest.approx(entropy(output.logits["genus"], genus).item() / 2, abs=1e-6)


def test_the_loss_of_names_adds_up_over_a_common_count():
    model = build(BarcodeBertForSequenceClassification, labels=LABELS)
    ids, mask, _, _ = batch()
    labels = {"genus": torch.tensor([0, 1, 2, 1]), "species": torch.tensor([-100, 1, -100, 0])}
    counts = {"genus": 4, "species": 2}
    whole = model(ids, attention_mask=mask, labels=labels).loss.item()
    parts = [
        model(
            ids[r], attention_mask=mask[r], labels={n: v[r] for n, v in labels.items()}, num_items_in_batch=counts
        ).loss
        for r in (slice(0, 2), slice(2, 4))
    ]
    assert sum(parts).item() == pytest.approx(whole, abs=1e-6)


def test_one_rank_takes_and_gives_plain_tensors():
    model = build(BarcodeBertForSequenceClassification, labels={"genus": LABELS["genus"]})
    ids, mask, _, _ = batch()
    output = model(ids, attention_mask=mask, labels=torch.tensor([0, 1, 2, -100]))
    assert output.logits.shape == (4, 3)
    assert torch.isfinite(output.loss)
    assert torch.allclose(model(ids[:, :5], attention_mask=mask[:, :5]).logits[3], output.logits[3], atol=1e-5)


def test_labels_for_other_ranks_and_bare_labels_for_several_are_refused():
    model = build(BarcodeBertForSequenceClassification, labels=LABELS)
    ids = batch()[0]
    with pytest.raises(ValueError, match="labels for family, but the heads are genus, species"):
        model(ids, labels={"family": torch.zeros(4).long()})
    with pytest.raises(ValueError, match="rank → tensor"):
        model(ids, labels=torch.zeros(4).long())


def test_a_classifier_without_names_is_refused():
    with pytest.raises(ValueError, match="needs the names of its classes"):
        BarcodeBertForSequenceClassification(tiny())


# -- loading


def test_a_classifier_starts_from_an_encoder_only_when_it_is_told_its_classes(tmp_path):
    encoder = build(BarcodeBertModel)
    save_stock(encoder, tmp_path)
    with pytest.raises(ValueError, match="needs the names of its classes"):
        BarcodeBertForSequenceClassification.from_pretrained(tmp_path)
    model, info = BarcodeBertForSequenceClassification.from_pretrained(
        tmp_path, labels=LABELS, output_loading_info=True
    )
    assert all(name.startswith("classifier.") for name in info["missing_keys"])
    for name, weight in encoder.named_parameters():
        assert torch.equal(model.bert.get_parameter(name), weight)


def test_no_weights_are_made_up(tmp_path):
    save_stock(build(BarcodeBertForSequenceClassification, labels=LABELS), tmp_path / "classifier")
    save_stock(build(BarcodeBertModel), tmp_path / "encoder")
    save_stock(build(BarcodeBertForMaskedLM), tmp_path / "masked")
    with pytest.raises(ValueError, match=r"lacks \d+ weights.*saved from BarcodeBertForSequenceClassification"):
        BarcodeBertForMaskedLM.from_pretrained(tmp_path / "classifier")
    with pytest.raises(ValueError, match="holds an encoder only"):
        BarcodeBertForMaskedLM.from_pretrained(tmp_path / "encoder")
    with pytest.raises(ValueError, match=r"lacks \d+ weights of BarcodeBertForMaskedAutoencoding"):
        BarcodeBertForMaskedAutoencoding.from_pretrained(tmp_path / "masked")


@pytest.mark.parametrize("head", ["bert", "linear"])
def test_our_classes_load_what_was_exported(tmp_path, head):
    model = build(BarcodeBertForMaskedLM, mlm_head=head, loss_positions="all_bases")
    save_stock(model, tmp_path)
    loaded = BarcodeBertForMaskedLM.from_pretrained(tmp_path)
    assert loaded.config.loss_positions == "all_bases"
    ids, mask, _, labels = batch()
    with torch.no_grad():
        arguments = {"attention_mask": mask, "labels": labels}
        assert torch.equal(loaded(ids, **arguments).loss, model(ids, **arguments).loss)


def test_training_checkpoints_are_saved_and_loaded_as_they_are(tmp_path):
    model = build(BarcodeBertForMaskedAutoencoding)
    model.save_pretrained(tmp_path)
    loaded = BarcodeBertForMaskedAutoencoding.from_pretrained(tmp_path)
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in model.state_dict().items())


def test_a_model_for_other_k_mers_is_refused(tmp_path):
    save_stock(build(BarcodeBertModel), tmp_path)
    with pytest.raises(Exception, match="vocab_size is 19, but 3-mers in the layout 'standard' need 67"):
        BarcodeBertModel.from_pretrained(tmp_path, kmer_size=3)


# -- profiles


PROFILE = torch.nn.functional.one_hot(torch.arange(4), 16) * torch.tensor([[1.0], [2.0], [3.0], [4.0]])


def test_the_loss_is_that_of_the_k_mers_and_of_the_profiles():
    model = build(BarcodeBertForMaskedLM, profile_weight=3.0)
    ids, mask, _, labels = batch()
    mean = masked_mean(model.bert(ids, attention_mask=mask).last_hidden_state, mask)
    apart = 3 * (1 - torch.nn.functional.cosine_similarity(mean, PROFILE)).mean().item()
    kmers = model(ids, attention_mask=mask, labels=labels).loss.item()
    both = model(ids, attention_mask=mask, labels=labels, profile=PROFILE)
    assert both.loss.item() == pytest.approx(kmers + apart, abs=1e-5)
    assert both.correct is not None
    assert model(ids, attention_mask=mask, profile=PROFILE).loss.item() == pytest.approx(apart, abs=1e-5)


def test_losses_of_profiles_add_up_over_batches():
    model = build(BarcodeBertForMaskedLM)
    ids, mask, _, labels = batch()
    whole = model(ids, attention_mask=mask, labels=labels, profile=PROFILE).loss.item()
    counts = {"kmers": (labels >= 0).sum(), "profiles": torch.tensor(4)}
    parts = [
        model(ids[row], attention_mask=mask[row], labels=labels[row], profile=PROFILE[row], num_items_in_batch=counts)
        for row in (slice(0, 1), slice(1, 4))
    ]
    assert sum(part.loss.item() for part in parts) == pytest.approx(whole, abs=1e-5)


def test_a_step_with_profiles_compiles_into_one_graph():
    model = build(BarcodeBertForMaskedLM).train()
    ids, mask, hidden, labels = batch()
    given = {"attention_mask": mask, "labels": labels, "predicted": packed_positions(hidden), "profile": PROFILE}
    torch._dynamo.reset()
    loss = torch.compile(model, fullgraph=True, backend="aot_eager")(ids, **given).loss
    loss.backward()
    assert loss.item() == pytest.approx(model(ids, **given).loss.item(), abs=1e-5)


def test_the_mean_learns_to_point_to_the_profile():
    model = build(BarcodeBertForMaskedLM, initializer_range=0.05).train()
    ids, mask, _, _ = batch()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        model(ids, attention_mask=mask, profile=PROFILE).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        mean = masked_mean(model.bert(ids, attention_mask=mask).last_hidden_state, mask)
    assert torch.nn.functional.cosine_similarity(mean, PROFILE).min() > 0.95


def test_a_negative_weight_of_profiles_is_refused():
    with pytest.raises(Exception, match="profile_weight must not be negative, got -1"):
        tiny(profile_weight=-1)
