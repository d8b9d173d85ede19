"""The authors' checkpoints: what comes out equals what their code computed, and nothing in a file is run."""

import json
import math
import os
import pickle
import zipfile
from collections import OrderedDict

import pytest
import torch

from bioscan5m_hf.dna import encode_kmers
from bioscan5m_hf.models.barcodebert import (
    BarcodeBertConfig,
    BarcodeBertForSequenceClassification,
    CheckpointError,
    KmerTokenizer,
    convert,
    load_original,
    masked_mean,
    read_checkpoint,
)


TOLERANCE = 2e-5
HEADS = {"original_v1_k4.pt": 2}


@pytest.fixture(params=[4, 6], scope="module")
def second_generation(request, parity):
    folder = parity / "barcodebert"
    expected = json.loads((folder / f"io_k{request.param}.json").read_text())
    return load_original(folder / f"original_k{request.param}.pt"), expected


@pytest.fixture(scope="module")
def first_version(parity):
    folder = parity / "barcodebert"
    return load_original(folder / "original_v1_k4.pt", heads=2), json.loads((folder / "io_v1_k4.json").read_text())


def scored(items):
    return {name: item for name, item in items.items() if not item.get("tokenize_only")}


def largest_difference(ours, theirs):
    return float((ours - torch.tensor(theirs)).abs().max())


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_the_second_generation_gives_the_numbers_of_the_original(second_generation, attention):
    model, expected = second_generation
    model.set_attn_implementation(attention)
    items = scored(expected["items"])
    ids, mask = encode_kmers(
        [item["sequence"] for item in items.values()], expected["k"], "original", length=660 // expected["k"]
    )
    ids, mask = torch.as_tensor(ids, dtype=torch.int64), torch.as_tensor(mask)
    with torch.no_grad():
        output = model(ids, attention_mask=mask, output_hidden_states=True)
    hidden = output.hidden_states[-1]
    for row, item in enumerate(items.values()):
        assert ids[row].tolist() == item["input_ids"]
        assert mask[row].int().tolist() == item["attention_mask"]
        wanted = torch.tensor(item["logits_first5"])
        assert largest_difference(output.logits[row, :5, : wanted.shape[1]], item["logits_first5"]) < TOLERANCE
        assert largest_difference(hidden[row, :3], item["last_hidden_first3"]) < TOLERANCE
        assert largest_difference(masked_mean(hidden, mask)[row], item["masked_mean_pool"]) < TOLERANCE
        assert largest_difference(hidden.mean(1)[row], item["mean_pool"]) < TOLERANCE
        assert largest_difference(output.logits[row].norm(dim=-1), item["logit_l2_per_position"]) < 1e-4


def test_the_loss_over_all_bases_and_its_gradients_are_those_of_the_original(second_generation):
    model, expected = second_generation
    case = expected["fixed_mask_loss"]
    sequences = [expected["items"][name]["sequence"] for name in case["items"]]
    ids, mask = encode_kmers(sequences, expected["k"], "original", length=660 // expected["k"])
    labels = torch.as_tensor(ids, dtype=torch.int64)
    hidden = labels.clone()
    for row, positions in enumerate(case["mask_positions"]):
        hidden[row, positions] = case["mask_id"]
    labels[labels < 2] = -100
    assert int((labels != -100).sum()) == case["n_scored"]
    model.zero_grad()
    loss = model(hidden, attention_mask=torch.as_tensor(mask), labels=labels).loss
    loss.backward()
    assert loss.item() == pytest.approx(case["loss"], abs=1e-5)
    norms = {name: weight.grad.norm().item() for name, weight in model.named_parameters()}
    assert set(norms) == set(case["grad_norms"])
    assert all(norms[name] == pytest.approx(norm, rel=1e-4, abs=1e-6) for name, norm in case["grad_norms"].items())
    model.zero_grad()


@pytest.mark.parametrize("which", ["masked_only", "unmasked_only"])
def test_the_weight_of_hidden_positions_leads_to_the_other_losses(second_generation, which):
    model, expected = second_generation
    case = expected["fixed_mask_loss"]
    sequences = [expected["items"][name]["sequence"] for name in case["items"]]
    ids, mask = encode_kmers(sequences, expected["k"], "original", length=660 // expected["k"])
    labels = torch.as_tensor(ids, dtype=torch.int64)
    hidden = labels.clone()
    for row, positions in enumerate(case["mask_positions"]):
        hidden[row, positions] = case["mask_id"]
    labels[labels < 2] = -100
    counts = {"masked_only": case["n_masked"], "unmasked_only": case["n_scored"] - case["n_masked"]}
    before = model.config.masked_weight
    try:
        model.config.masked_weight = 1.0 if which == "masked_only" else 0.0
        with torch.no_grad():
            output = model(
                hidden, attention_mask=torch.as_tensor(mask), labels=labels, num_items_in_batch=2 * counts[which]
            )
    finally:
        model.config.masked_weight = before
    assert output.loss.item() == pytest.approx(case["other_losses_not_the_rule"][which], abs=1e-5)


def test_the_first_version_gives_the_numbers_of_the_original(first_version):
    model, expected = first_version
    order = torch.tensor([0, 2, 1, *range(3, 259)])
    for item in expected["items"].values():
        # The original reads no lower case, and attends to its padding, which is [UNK].
        upright = "".join(letter if letter.isupper() else "N" for letter in item["sequence"][:660])
        ids = torch.as_tensor(encode_kmers([upright.ljust(660, "N")], 4, "standard").ids, dtype=torch.int64)
        assert order[ids[0]].tolist() == item["input_ids"]
        with torch.no_grad():
            output = model(ids, output_hidden_states=True)
            loss = model(ids, labels=ids).loss
        hidden = output.hidden_states[-1][0]
        logits = output.logits[0][:, order]
        assert largest_difference(logits[:5], item["logits_first5"]) < TOLERANCE
        assert largest_difference(hidden[:3], item["last_hidden_first3"]) < TOLERANCE
        assert largest_difference(hidden.mean(0), item["mean_pool"]) < TOLERANCE
        assert largest_difference(logits.norm(dim=-1), item["logit_l2_per_position"]) < 1e-4
        assert loss.item() == pytest.approx(item["loss_labels_equal_input"], abs=1e-5)


def test_the_mask_of_the_first_version_is_the_embedding_it_hid_with(first_version, parity):
    state = read_checkpoint(parity / "barcodebert" / "original_v1_k4.pt")
    words = state["module.bert.embeddings.word_embeddings.weight"]
    ours = first_version[0].bert.embeddings.word_embeddings.weight
    assert torch.equal(ours[first_version[0].config.layout.mask], words[1])
    assert torch.equal(ours[first_version[0].config.layout.unknown], words[2])


def fine_tuned(parity, path, *, classes=5, prefix="base_model."):
    """Write a checkpoint as the authors' fine-tuning does, around the encoder of the k=4 fixture."""
    original = read_checkpoint(parity / "barcodebert" / "original_k4.pt")
    generator = torch.Generator().manual_seed(0)
    state = {name.replace("module.", prefix): value for name, value in original["model"].items() if ".bert." in name}
    state["classifier.weight"] = torch.randn(classes, 64, generator=generator)
    state["classifier.bias"] = torch.randn(classes, generator=generator)
    torch.save({"model": state, "bert_config": original["bert_config"]}, path)
    return state


def test_a_fine_tuned_classifier_pools_over_its_padding_as_the_original(parity, tmp_path):
    state = fine_tuned(parity, tmp_path / "f.pt")
    model = load_original(tmp_path / "f.pt", labels=list("abcde"))
    assert isinstance(model, BarcodeBertForSequenceClassification)
    expected = json.loads((parity / "barcodebert" / "io_k4.json").read_text())
    for name in ("len17", "len333"):
        item = expected["items"][name]
        encoded = encode_kmers([item["sequence"]], 4, "original")
        with torch.no_grad():
            logits = model(torch.as_tensor(encoded.ids).long(), attention_mask=torch.as_tensor(encoded.mask)).logits
        wanted = state["classifier.weight"] @ torch.tensor(item["mean_pool"]) + state["classifier.bias"]
        assert largest_difference(logits[0], wanted.tolist()) < 1e-4


def test_classes_without_names_are_numbered(parity, tmp_path):
    fine_tuned(parity, tmp_path / "f.pt", classes=3)
    model = load_original(tmp_path / "f.pt", rank="genus")
    assert model.config.labels == {"genus": ["0", "1", "2"]}
    assert model.config.id2label == {0: "0", 1: "1", 2: "2"}


def test_what_is_converted_is_loaded_by_stock_transformers(parity, tmp_path):
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    folder = convert(parity / "barcodebert" / "original_k4.pt", tmp_path / "out", card="# a card\n")
    model, tokenizer = AutoModelForTokenClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert (folder / "README.md").read_text() == "# a card\n"
    assert type(model).__name__ == "BertForTokenClassification"
    item = json.loads((parity / "barcodebert" / "io_k4.json").read_text())["items"]["len658"]
    with torch.no_grad():
        logits = model(**tokenizer(item["sequence"], return_tensors="pt")).logits[0, :5]
    # The original pads to 660 bases and masks that; here there is no padding.
    assert largest_difference(logits, item["logits_first5"]) < TOLERANCE
    assert model.config.id2label[0] == "AAAA"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kmer_size": 6}, r"it holds 4-mers \(258 ids\), and kmer_size=6 was given"),
        ({"heads": 12}, "it has 2 attention heads a layer, and heads=12 was given"),
        ({"labels": ["Aus bus"]}, "it is not fine-tuned"),
    ],
)
def test_arguments_that_do_not_fit_the_file_are_refused(parity, arguments, message):
    with pytest.raises(CheckpointError, match=message):
        load_original(parity / "barcodebert" / "original_k4.pt", **arguments)


def test_the_first_version_needs_its_heads_unless_it_is_of_the_published_width(parity):
    with pytest.raises(CheckpointError, match="give heads="):
        load_original(parity / "barcodebert" / "original_v1_k4.pt")
    with pytest.raises(CheckpointError, match="width 64 is no multiple of 12"):
        load_original(parity / "barcodebert" / "original_v1_k4.pt", heads=12)


def wide(tmp_path, *, first_version):
    """Write a file of the published width, one layer, of the first or the second generation, without its heads."""
    from transformers import BertConfig, BertForMaskedLM, BertForTokenClassification

    config = BertConfig(
        vocab_size=259 if first_version else 258, num_hidden_layers=1, intermediate_size=8, num_labels=256
    )
    model = BertForMaskedLM(config) if first_version else BertForTokenClassification(config)
    state = {f"module.{name}": value for name, value in model.state_dict().items()}
    torch.save(state if first_version else {"model": state}, tmp_path / "wide.pt")
    return tmp_path / "wide.pt"


def test_the_first_version_of_the_published_width_has_twelve_heads(tmp_path):
    path = wide(tmp_path, first_version=True)
    assert load_original(path).config.num_attention_heads == 12
    assert load_original(path, heads=8).config.num_attention_heads == 8


def test_a_later_file_that_does_not_say_its_heads_is_not_guessed_at(tmp_path):
    """Files of 2024 have this width with 4, 6 or 12 heads, and say which in their configuration."""
    with pytest.raises(CheckpointError, match="give heads="):
        load_original(wide(tmp_path, first_version=False))


def test_labels_of_the_wrong_number_are_refused(parity, tmp_path):
    fine_tuned(parity, tmp_path / "f.pt")
    with pytest.raises(CheckpointError, match="it has 5 classes, and 2 labels were given"):
        load_original(tmp_path / "f.pt", labels=["a", "b"])


def words(ids):
    return {
        "model": {"bert.embeddings.word_embeddings.weight": torch.zeros(ids, 8), "classifier.weight": torch.zeros(2)}
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": {"conv.weight": torch.zeros(2)}}, r"another architecture: no bert.embeddings.\*, but conv.weight"),
        ({"epoch": 3}, "it holds no weights"),
        ({"model": 3}, "it holds no weights"),
        ([1, 2], "holds a list, not a dictionary"),
        (words(258), "does not say its number of attention heads"),
    ],
)
def test_other_files_are_named_for_what_they_are(tmp_path, content, message):
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match=message):
        load_original(tmp_path / "x.pt")


def test_a_vocabulary_with_n_and_a_missing_weight_are_refused(parity, tmp_path):
    original = read_checkpoint(parity / "barcodebert" / "original_k4.pt")
    name = "module.bert.embeddings.word_embeddings.weight"
    kept = original["model"][name]
    original["model"][name] = torch.zeros(5**4 + 2, 64)
    torch.save(original, tmp_path / "n.pt")
    with pytest.raises(CheckpointError, match=r"627 ids, which is not 4\*\*k \+ 2"):
        load_original(tmp_path / "n.pt")
    original["model"][name] = kept
    del original["model"]["module.bert.encoder.layer.1.output.dense.bias"]
    torch.save(original, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=r"missing.*layer.1.output.dense.bias"):
        load_original(tmp_path / "m.pt")


@pytest.mark.parametrize(
    ("file", "prefix", "change", "message"),
    [
        ("k4", "module.", ("classifier.weight", "classifier.bias"), r"none of the heads classifier.\* and"),
        ("k4", "base_model.", ("classifier.weight", "classifier.bias"), "but has no classifier.weight"),
        ("k4", "module.", ("encoder.layer.0",), r"its layers are \[1\]"),
        ("v1_k4", "module.", (), "its decoder is not tied"),
    ],
)
def test_a_checkpoint_with_parts_missing_is_refused(parity, tmp_path, file, prefix, change, message):
    found = read_checkpoint(parity / "barcodebert" / f"original_{file}.pt")
    state = {
        name.replace("module.", prefix): value
        for name, value in found.get("model", found).items()
        if not any(part in name for part in change)
    }
    if not change:
        state["module.cls.predictions.decoder.weight"] = state["module.cls.predictions.decoder.weight"] + 1
    torch.save({"model": state}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match=message):
        load_original(tmp_path / "x.pt", heads=2)


@pytest.mark.parametrize(
    ("saved", "gone"),
    [
        (["no", "mapping"], "nothing"),
        ({"num_attention_heads": 0}, "nothing"),
        ({"num_attention_heads": "two"}, "nothing"),
        ({"num_attention_heads": 2, "hidden_act": 5}, "nothing"),
        ({"num_attention_heads": 2}, "layer.0.intermediate.dense.bias"),
        ({"num_attention_heads": 2}, "position_embeddings"),
    ],
)
def test_what_a_checkpoint_says_of_itself_is_not_believed(parity, tmp_path, saved, gone):
    found = read_checkpoint(parity / "barcodebert" / "original_k4.pt")["model"]
    state = {name: value for name, value in found.items() if gone not in name}
    torch.save({"model": state, "bert_config": saved}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match=r"x\.pt"):
        load_original(tmp_path / "x.pt")


def test_a_converted_tokenizer_goes_with_the_vocabulary(parity, tmp_path):
    folder = convert(parity / "barcodebert" / "original_k6.pt", tmp_path / "out")
    tokenizer = KmerTokenizer.from_pretrained(folder)
    assert (tokenizer.kmer_size, tokenizer.layout) == (6, "original")
    assert len(tokenizer) == BarcodeBertConfig.from_pretrained(folder).vocab_size


class Touch:
    """What a hostile file holds: an object whose pickle runs a command."""

    def __init__(self, reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


def hostile(marker):
    """Give objects that would each make the file `marker` if they were unpickled in good faith."""
    command = f"touch {marker}"
    return {
        "reduce": Touch((os.system, (command,))),
        "nested": {"model": OrderedDict(a=[({"b": Touch((os.system, (command,)))},)])},
        "eval": Touch((eval, (f"open({str(marker)!r}, 'w')",))),
        "getattr": Touch((getattr, (Touch((__import__, ("os",))), "system"))),
        "setstate": Touch((torch.nn.Linear, (2, 2), {"hook": Touch((os.system, (command,)))})),
        "items": Touch((OrderedDict, (), None, None, iter([("a", Touch((os.system, (command,))))]))),
        "tensor": Touch(
            (torch._utils._rebuild_tensor_v2, (Touch((os.system, (command,))), 0, (2,), (1,), False, None))
        ),
    }


def write_archive(path, content, **members):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", content)
        for name, value in members.items():
            archive.writestr(name.replace("__", "/"), value)


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("name", list(hostile("x")))
def test_nothing_in_a_hostile_file_is_run(tmp_path, name, protocol):
    marker = tmp_path / "was_here"
    pickle.loads(pickle.dumps(hostile(marker)["reduce"]))
    assert marker.exists()  # the bait works
    marker.unlink()
    write_archive(tmp_path / "x.pt", pickle.dumps({"model": hostile(marker)[name]}, protocol))
    try:
        loaded = read_checkpoint(tmp_path / "x.pt")
    except CheckpointError:
        loaded = {}
    assert not marker.exists()
    assert "Inert" not in repr(loaded)
    with pytest.raises(CheckpointError):
        load_original(tmp_path / "x.pt")
    assert not marker.exists()


@pytest.mark.parametrize(
    "program",
    [
        b"(S'touch {}'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'touch {}'\no.",  # OBJ
        b"cos\nsystem\n(S'touch {}'\n\x81.",  # NEWOBJ
        b"cos\nsystem\n(S'touch {}'\ntR.",  # REDUCE
        b"\x80\x04\x8c\x02os\x8c\x06system\x93(S'touch {}'\ntR.",  # STACK_GLOBAL
        b"cbuiltins\ndict\n(tR(S'__setstate__'\ncos\nsystem\nsb.",  # BUILD
        b"\x82\x01.",  # EXT1
        b"cos\nsystem\n(S'touch {}'\ne.",  # APPENDS on a function
    ],
)
def test_no_instruction_of_the_pickle_machine_calls_anything(tmp_path, program):
    marker = tmp_path / "was_here"
    write_archive(tmp_path / "x.pt", program.replace(b"{}", str(marker).encode()))
    with pytest.raises(CheckpointError):
        read_checkpoint(tmp_path / "x.pt")
    assert not marker.exists()


def test_a_damaged_or_foreign_file_is_refused(tmp_path, parity):
    original = (parity / "barcodebert" / "original_k4.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(original[: len(original) // 2])
    (tmp_path / "old.pt").write_bytes(pickle.dumps({"model": 1}, 2))
    (tmp_path / "text.pt").write_text("hello")
    for name, message in {"cut": "no file that torch.save wrote", "old": "before 1.6", "text": "no file"}.items():
        with pytest.raises(CheckpointError, match=message):
            read_checkpoint(tmp_path / f"{name}.pt")


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("..__evil", "outside of its folder"),
        ("x__..__..__evil", "outside of its folder"),
        ("y__data__0", "outside of its folder"),
        ("__etc__passwd", "outside of its folder"),
    ],
)
def test_names_that_leave_the_archive_are_refused(tmp_path, member, message):
    write_archive(tmp_path / "x.pt", pickle.dumps({}, 2), **{member: b"1"})
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("members", "compression", "message"),
    [
        ([("x/data.pkl", b"}.")], zipfile.ZIP_DEFLATED, "is packed or encrypted"),
        ([("x/data.pkl", b"}."), ("x/a", b""), ("x/a", b"")], zipfile.ZIP_STORED, "two members of one name"),
        ([("x/data.pkl", b"}."), ("x/byteorder", b"big")], zipfile.ZIP_STORED, "big-endian"),
        ([("x/data.pkl", b"}."), ("y/data.pkl", b"}.")], zipfile.ZIP_STORED, "holds 2 pickles"),
        ([("x/other", b"}.")], zipfile.ZIP_STORED, "holds 0 pickles"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_that_torch_did_not_write_is_refused(tmp_path, members, compression, message):
    with zipfile.ZipFile(tmp_path / "x.pt", "w", compression) as archive:
        for name, value in members:
            archive.writestr(name, value)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path / "x.pt")


def test_a_pickle_beyond_all_measure_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("bioscan5m_hf.models.barcodebert.checkpoint_barcodebert.LARGEST_PICKLE", 10)
    write_archive(tmp_path / "x.pt", pickle.dumps({"a": "long enough"}))
    with pytest.raises(CheckpointError, match="larger than"):
        read_checkpoint(tmp_path / "x.pt")


class Made:
    """Made with keywords, which is an instruction of its own."""

    def __getnewargs_ex__(self):
        return (), {"a": 1}


def test_objects_are_left_out_and_their_neighbours_stay(tmp_path):
    write_archive(tmp_path / "x.pt", pickle.dumps({"a": Made(), "b": [Made(), 2], "c": {"d": Made(), "e": (3,)}}, 4))
    assert read_checkpoint(tmp_path / "x.pt") == {"b": [2], "c": {"e": [3]}}


def tensor_pickle(tmp_path, **changes):
    """Write a checkpoint of one tensor, with parts of its description changed."""
    torch.save({"a": torch.arange(6.0).view(2, 3)}, tmp_path / "t.pt")
    with zipfile.ZipFile(tmp_path / "t.pt") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    data = members["t/data.pkl"]
    for before, after in changes.values():
        assert before in data
        data = data.replace(before, after)
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        for name, value in members.items():
            archive.writestr(name.replace("t/", "x/", 1), data if name == "t/data.pkl" else value)
    return tmp_path / "x.pt"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (b"K\x02K\x03\x86", b"K\x63K\x63\x86", "is announced over 6 numbers"),
        (b"K\x03K\x01\x86", b"K\xffK\xff\x86", "damaged|is announced"),
        (b"X\x01\x00\x00\x000", b"X\x01\x00\x00\x00/", "names of storages are numbers"),
        (b"X\x01\x00\x00\x000", b"X\x01\x00\x00\x007", "damaged"),
        (b"FloatStorage", b"HalfyStorage", "no storage that is known"),
        (b"Q", b"0N", "a tensor without numbers"),
        (b"K\x02K\x03\x86", b"K\x02N\x86", "the offset, length or stride None"),
        (b"FloatStorage", b"DoubleStorage", "24 bytes, and 48 are announced"),
    ],
)
def test_a_tensor_that_is_not_there_is_not_made(tmp_path, before, after, message):
    path = tensor_pickle(tmp_path, change=(before, after))
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(path)


def test_tensors_of_all_types_come_back(tmp_path):
    base = torch.arange(12).view(3, 4)
    types = (
        torch.float32,
        torch.float64,
        torch.float16,
        torch.bfloat16,
        torch.int64,
        torch.int32,
        torch.uint8,
        torch.bool,
    )
    content = {str(dtype): base.to(dtype).t() for dtype in types} | {
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(2.5),
    }
    content["parameter"] = torch.nn.Parameter(torch.ones(2))
    torch.save(content, tmp_path / "a.pt")
    loaded = read_checkpoint(tmp_path / "a.pt")
    assert all(
        torch.equal(loaded[name], value) and loaded[name].dtype == value.dtype for name, value in content.items()
    )


def test_shared_containers_are_walked_once(tmp_path):
    level = [1]
    for _ in range(60):
        level = [level, level]
    write_archive(tmp_path / "x.pt", pickle.dumps({"a": level}, 2))
    value = read_checkpoint(tmp_path / "x.pt")["a"]
    assert math.prod(len(member) for member in (value, value[0])) == 4
