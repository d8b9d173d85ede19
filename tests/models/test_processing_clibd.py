"""What CLIBD is shown: photographs of any kind upright and in colour, barcodes of any kind, names with holes."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from clibds import SMALL, clibd, config_of
from PIL import Image

from bioscan5m_hf.models.clibd import ClibdConfig, ClibdProcessor
from bioscan5m_hf.models.clibd.export_clibd import image_processor, make_processor, name_tokenizer, released_tokenizer
from bioscan5m_hf.models.clibd.processing_clibd import opened


@pytest.fixture(scope="module")
def processor():
    return clibd()[1]


def gradient(size=(60, 40)):
    x, y = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]))
    return Image.fromarray(np.stack([x, y, 0 * x], -1).astype(np.uint8))


def test_modes_of_photographs(processor):
    photo = gradient()
    expected = processor(images=photo)["pixel_values"]
    assert expected.shape == (1, 3, 32, 32)
    clear = photo.convert("RGBA")
    clear.putalpha(0)
    for mode in ("RGBA", "CMYK"):
        assert torch.allclose(processor(images=photo.convert(mode))["pixel_values"], expected, atol=0.05)
    grey = processor(images=photo.convert("L"))["pixel_values"]
    assert torch.equal(grey[:, 0], grey[:, 1])
    assert processor(images=clear)["pixel_values"].min() == 1  # nothing but the white ground
    for mode in ("1", "P", "I;16", "LA"):
        assert torch.isfinite(processor(images=photo.convert("L").convert(mode))["pixel_values"]).all()


def test_a_photograph_that_says_it_lies_on_its_side_is_turned():
    photo, file = gradient(), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(file, "PNG", exif=exif)
    assert np.array_equal(np.asarray(opened(Image.open(file))), np.asarray(photo.rotate(-90, expand=True)))


def test_wide_and_small_photographs(processor):
    for size in ((20_000, 10), (1, 1), (3, 500)):
        assert processor(images=Image.new("RGB", size))["pixel_values"].shape == (1, 3, 32, 32)


def test_damaged_files_are_named(processor, tmp_path):
    whole = io.BytesIO()
    gradient((300, 200)).save(whole, "JPEG")
    (tmp_path / "a.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 3])
    with pytest.raises(ValueError, match=r"a\.jpg cannot be read"):
        processor(images=Image.open(tmp_path / "a.jpg"))
    with pytest.raises(ValueError, match="a photograph is an image of PIL, not bytes"):
        processor(images=[b"JPEG"])


def test_barcodes_of_any_kind(processor):
    given = processor(dna=["ACGTA" * 3, "acgua" * 2, "ACGTN", "RYKMS", "", None, "é" * 5, "ACGTA" * 500])
    ids, mask = given["dna_input_ids"], given["dna_attention_mask"]
    first = ids[0, 0].item()
    assert ids.shape == (8, 132)
    assert mask.sum(1).tolist() == [3, 2, 1, 1, 0, 0, 1, 132]
    assert ids[1, :2].tolist() == [first, first]
    assert {ids[2, 0].item(), ids[3, 0].item(), ids[6, 0].item()} == {1}
    assert given["dna_present"].tolist() == [True] * 5 + [False] + [True] * 2
    assert processor(dna=[""])["dna_input_ids"].shape == (1, 1)
    with pytest.raises(ValueError, match="a barcode is a string, not float"):
        processor(dna=[1.5])


def test_holes_in_names_are_left_out_or_named():
    taxon = {"class": "Insecta", "order": "Diptera", "family": None, "genus": "Megaselia", "species": ""}
    assert ClibdProcessor.text_of(taxon) == "Diptera Megaselia"
    assert ClibdProcessor.text_of(taxon, "none") == "Diptera none Megaselia none"
    assert ClibdProcessor.text_of({}) == ""


def test_names_are_tokens_and_unknown_letters_are_unknown(processor):
    given = processor(text=["Diptera Phoridae", "Ω", "", None, "diptera " * 50])
    tokens = [processor.tokenizer.convert_ids_to_tokens(row) for row in given["input_ids"][:2].tolist()]
    assert tokens[0][:4] == ["[CLS]", "diptera", "phoridae", "[SEP]"]
    assert tokens[1][1] == "[UNK]"
    assert given["input_ids"].shape == (5, 32)
    assert given["text_present"].tolist() == [True, True, True, False, True]


def test_what_is_given_has_to_fit(processor):
    for given, message in (
        ({}, "nothing is given"),
        ({"dna": []}, "nothing is given"),
        ({"dna": ["ACGTA"], "images": [gradient()] * 2}, "there are 2 images, 1 dna: give one for each"),
        ({"taxonomy": [{}], "text": ["x"]}, "taxonomy or text, not both"),
        ({"dna": "ACGTA", "return_tensors": "np"}, "return_tensors is 'np'"),
    ):
        with pytest.raises(ValueError, match=message):
            processor(**given)


def test_a_tokenizer_with_more_ids_than_the_tower_is_refused():
    with pytest.raises(ValueError, match="the tokenizer has 77 ids, and the text tower 50"):
        make_processor(config_of(text_config={"model_type": "bert", "vocab_size": 50, **SMALL}), name_tokenizer([]))


def test_normalisation_is_that_of_the_tower():
    tower = {"model_type": "timm_wrapper", "architecture": "vit_base_patch16_224", "num_classes": 0}
    ours = image_processor(ClibdConfig(modalities=["image"], image_config=tower))
    assert ([*ours.image_mean], [*ours.image_std], ours.do_normalize) == ([0.5] * 3, [0.5] * 3, True)
    released = make_processor(ClibdConfig.released(modalities=["image"]))
    pixels = released(images=gradient((300, 256)))["pixel_values"]
    assert pixels.shape == (1, 3, 224, 224)
    assert 0 <= pixels.min() < pixels.max() <= 1
    clip = {"model_type": "open_clip_tower", "architecture": "ViT-S-32-alt"}
    text = {"model_type": "open_clip_tower", "architecture": "ViT-S-32-alt", "tower": "text", "context_length": 9}
    rows = make_processor(ClibdConfig(modalities=["text"], text_config=text), name_tokenizer([]))
    assert rows(text=["a"])["input_ids"].shape == (1, 9)
    found = image_processor(ClibdConfig(modalities=["image"], image_config=clip))
    assert found.image_mean[0] == pytest.approx(0.4815, abs=1e-3)


def test_tokenizers_are_saved_as_data(tmp_path):
    from transformers import AutoTokenizer

    for name, made in (("kmers", released_tokenizer(3)), ("words", name_tokenizer(["Aus bus"]))):
        made.save_pretrained(str(tmp_path / name))
        again = AutoTokenizer.from_pretrained(tmp_path / name)
        for text in ("ACGACNTTT", "Aus", ""):
            assert again(text)["input_ids"] == made(text)["input_ids"]
    assert sorted(path.name for path in (tmp_path / "kmers").iterdir()) == ["tokenizer.json", "tokenizer_config.json"]


def test_the_tokenizer_of_names_is_the_same_every_time():
    names = ["Diptera Phoridae", "Diptera Sciaridae", "Diptera Phoridae", "Hymenoptera", "Coleoptera"]
    made = [name_tokenizer(order).get_vocab() for order in (names, sorted(names))]
    assert made[0] == made[1]
    first = sorted(made[0], key=made[0].get)
    assert first[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert first[-5:] == ["diptera", "phoridae", "coleoptera", "hymenoptera", "sciaridae"]
    assert len(name_tokenizer(names, size=3)) == len(first) - 5
