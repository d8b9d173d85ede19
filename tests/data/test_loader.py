"""`ImageBatches`: pixels, labels and columns of every specimen once, whoever shares the work."""

from __future__ import annotations

import hashlib
import io
import logging
import pickle

import huggingface_hub
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from folders import write_folder
from PIL import Image, ImageOps
from torch.utils.data import DataLoader, IterableDataset

from bioscan5m_hf import ImageBatches, load_specimens
from bioscan5m_hf.data import decode
from bioscan5m_hf.data.augmentation import Augmentation
from bioscan5m_hf.data.decode import Frame, PillowDecoder, TurboDecoder
from bioscan5m_hf.data.mapped import MappedBatches
from bioscan5m_hf.data.reading import Unit, share
from bioscan5m_hf.errors import ReleaseError


KINDS = pytest.mark.parametrize("kind", [ImageBatches, MappedBatches])
DECODERS = pytest.mark.parametrize("decoder", [TurboDecoder, PillowDecoder])


def jpeg(width=40, height=30, mode="RGB", seed=0, quality=90):
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (4, 4, len(mode)), np.uint8).squeeze()
    stream = io.BytesIO()
    Image.fromarray(coarse, mode).resize((width, height)).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def decoded(decoder, data, **frame):
    frame = Frame(**frame)
    target = np.full((*frame.size, 3), 77, np.uint8)
    decoder(frame)(data, target)
    return target


def folder_of(path, photographs):
    rows = [{"processid": f"A-{at}", "order": ("Diptera", None)[at % 2]} for at in range(len(photographs))]
    images = [{**row, "image": photograph} for row, photograph in zip(rows, photographs, strict=True)]
    return write_folder(path / "bioscan-5m", {"val": rows}, {"val": images})


def ids(batches):
    return [processid for batch in batches for processid in batch["processid"]]


@pytest.mark.parametrize("threads", [1, 2])
def test_gives_every_specimen_once_in_order(dataset, threads):
    given = {"split": "seen", "columns": ["processid", "coord-lat", "species"], "label": "family"}
    batches = list(ImageBatches(dataset, **given, batch_size=7, threads=threads))
    columns = ["image", *given["columns"]]
    rows = list(load_specimens(dataset, split="seen", columns=columns, label="family", streaming=True))
    assert [len(batch["image"]) for batch in batches] == [7] * (len(rows) // 7) + [len(rows) % 7] * (len(rows) % 7 > 0)
    assert ids(batches) == [row["processid"] for row in rows]
    for batch in batches:
        assert batch["image"].shape[1:] == (256, 256, 3)
        assert batch["image"].dtype == np.uint8
        assert batch["label"].dtype == np.int64
        assert batch["coord-lat"].dtype == np.float64
    for column, missing in (("label", -1), ("species", None)):
        given = [value for batch in batches for value in batch[column]]
        assert given == [missing if row[column] is None else row[column] for row in rows]


def test_pixels_are_those_of_pillow(dataset):
    batches = ImageBatches(dataset, split="all", config="original_256", columns=["processid"], frame=Frame((256, 342)))
    rows = load_specimens(dataset, split="all", config="original_256", columns=["image"], streaming=True)
    pixels = np.concatenate([batch["image"] for batch in batches])
    for ours, row in zip(pixels, rows, strict=True):
        theirs = np.asarray(row["image"].convert("RGB")).astype(int)
        shift = (theirs.shape[1] - 342) // 2 if theirs.shape[1] > 342 else 0
        assert abs(ours[:, : theirs.shape[1]] - theirs[:, shift : shift + 342]).max() <= 2


def test_real_photographs_have_the_pixels_of_pillow(shared_data, tmp_path):
    from bioscan5m_hf.data.build import build

    build(shared_data / "real_images", tmp_path / "bioscan-5m")
    file = next((tmp_path / "bioscan-5m" / "original_full").glob("*.parquet"))
    for value in pq.read_table(file, columns=["image"])["image"].to_pylist()[::5]:
        photograph = np.asarray(Image.open(io.BytesIO(value["bytes"])).convert("RGB"))
        ours = decoded(TurboDecoder, value["bytes"], size=photograph.shape[:2])
        assert abs(ours.astype(int) - photograph).max() <= 2


@DECODERS
@pytest.mark.parametrize(("width", "height"), [(8, 8), (9, 5), (5, 9), (20, 8), (8, 20), (21, 23), (8, 3)])
def test_photographs_are_cropped_at_the_centre_or_padded(decoder, width, height):
    data = jpeg(width, height)
    whole = np.asarray(Image.open(io.BytesIO(data)))
    expected = np.full((8, 8, 3), (1, 2, 3), np.uint8)
    top, left = max(0, (height - 8) // 2), max(0, (width - 8) // 2)
    above, before = max(0, (8 - height) // 2), max(0, (8 - width) // 2)
    part = whole[top : top + 8, left : left + 8]
    expected[above : above + part.shape[0], before : before + part.shape[1]] = part
    assert abs(decoded(decoder, data, size=(8, 8), fill=(1, 2, 3)).astype(int) - expected).max() <= 2


@DECODERS
@pytest.mark.parametrize(("width", "height"), [(256, 300), (512, 384), (1000, 250), (60, 90)])
def test_photographs_are_scaled_to_a_shorter_side(decoder, width, height):
    data = jpeg(width, height)
    factor = 128 / min(width, height)
    new = round(width * factor), round(height * factor)
    expected = np.asarray(Image.open(io.BytesIO(data)).resize(new, Image.Resampling.BICUBIC)).astype(int)
    given = decoded(decoder, data, size=new[::-1], resize=128)
    assert abs(given - expected).mean() < 3


@DECODERS
@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_colour_spaces_become_rgb(decoder, mode):
    data = jpeg(16, 16, mode)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    assert abs(decoded(decoder, data, size=(16, 16)) - expected).max() <= 2


def tagged(orientation, width=90, height=60, **further):
    """Give a JPEG that is to be turned, and its upright pixels."""
    exif = Image.Exif()
    exif[0x010E] = "a description stands before the orientation"
    exif[0x0112] = orientation
    stream = io.BytesIO()
    Image.open(io.BytesIO(jpeg(width, height))).save(stream, "JPEG", quality=95, exif=exif, **further)
    upright = ImageOps.exif_transpose(Image.open(stream))
    return stream.getvalue(), np.asarray(upright).astype(int)


@DECODERS
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_stand_upright_as_their_exif_data_say(decoder, orientation):
    data, upright = tagged(orientation, icc_profile=bytes(3000), comment="a comment")
    assert upright.shape == ((60, 90, 3) if orientation < 5 else (90, 60, 3))
    assert abs(decoded(decoder, data, size=upright.shape[:2]) - upright).max() <= 2
    assert abs(decoded(decoder, memoryview(data), size=(40, 20)) - centre(upright, 40, 20)).max() <= 2
    size = tuple(side // 2 for side in upright.shape[:2])
    small = Image.fromarray(upright.astype(np.uint8)).resize(size[::-1], Image.Resampling.BICUBIC)
    assert abs(decoded(decoder, data, size=size, resize=30) - np.asarray(small).astype(int)).mean() < 3
    seen = []
    decoder(Frame())(data, np.empty((1, 1, 3), np.uint8), lambda pixels, target: seen.append(pixels.shape))
    assert seen == [upright.shape]  # an augmentation draws its part of the upright photograph


def centre(pixels, height, width):
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]


@DECODERS
def test_xmp_turns_too_and_what_cannot_be_read_does_not(decoder):
    plain = jpeg(90, 60)
    whole = np.asarray(Image.open(io.BytesIO(plain))).astype(int)
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    segment = b"http://ns.adobe.com/xap/1.0/\0" + xmp
    data = plain[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + plain[2:]
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data)))).astype(int)
    assert upright.shape == (90, 60, 3)
    assert abs(decoded(decoder, data, size=(90, 60)) - upright).max() <= 2
    for torn in (b"", b"II*\0", b"MM\0*\0\0\0\x08\0\x09", b"II*\0\xff\xff\xff\xff", b"no TIFF at all"):
        segment = b"Exif\0\0" + torn
        data = plain[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + plain[2:]
        assert abs(decoded(decoder, data, size=(60, 90)) - whole).max() <= 2
    data, _ = tagged(9)
    assert decoded(decoder, data, size=(60, 90)).any()


@KINDS
def test_batches_are_upright(tmp_path, kind):
    data, upright = tagged(6)
    (batch,) = kind(folder_of(tmp_path, [data]), split="val", frame=Frame((90, 60)))
    assert abs(batch["image"][0] - upright).max() <= 2


@DECODERS
def test_bad_photographs_and_bombs_are_refused(decoder, monkeypatch):
    good = jpeg(200, 200)
    for bad in (b"", b"GIF89a", good[: len(good) // 2], good[:20]):
        with pytest.raises(ValueError, match=r"\S"):
            decoded(decoder, bad)
    assert decoded(decoder, jpeg(1300, 1100), size=(4, 4)).any()
    monkeypatch.setattr(decode.Image, "MAX_IMAGE_PIXELS", 1000)
    monkeypatch.setattr(decode, "_SCRATCH", 0)
    with pytest.raises(ValueError, match="pixels"):
        decoded(decoder, good)


def test_pillow_steps_in_where_simplejpeg_is_missing(dataset, monkeypatch):
    fast = np.concatenate([batch["image"] for batch in ImageBatches(dataset, split="val")])
    monkeypatch.setattr(decode, "simplejpeg", None)
    slow = np.concatenate([batch["image"] for batch in ImageBatches(dataset, split="val")])
    assert abs(fast.astype(int) - slow).max() <= 2


def test_a_bad_photograph_is_named_or_left_out(tmp_path, caplog):
    photographs = [jpeg(seed=at) for at in range(9)]
    photographs[2] = photographs[7] = b"\xff\xd8 no more"
    folder = folder_of(tmp_path, photographs)
    given = {"split": "val", "columns": ["processid"], "label": "order", "batch_size": 4}
    with pytest.raises(ReleaseError, match=r"A-2: the photograph cannot be decoded: .*on_error='skip'"):
        list(ImageBatches(folder, **given))
    with pytest.raises(ReleaseError, match="--check decode --on-error skip; even batches cannot leave it out"):
        list(ImageBatches(folder, **given, even=True))
    with caplog.at_level(logging.WARNING):
        batches = list(ImageBatches(folder, **given, on_error="skip"))
    assert ids(batches) == [f"A-{at}" for at in (0, 1, 3, 4, 5, 6, 8)]
    assert [len(batch["label"]) for batch in batches] == [3, 3, 1]
    assert "A-2" in caplog.text
    assert not list(ImageBatches(folder_of(tmp_path / "worse", [b"", b"-"]), **given, on_error="skip"))


def test_workers_and_ranks_share_the_specimens(dataset):
    given = {"split": "all", "columns": ["processid"], "batch_size": 5}
    whole = ids(ImageBatches(dataset, **given))
    assert len(set(whole)) == len(whole) == 160
    batches = ImageBatches(dataset, **given, shuffle=True)
    assert isinstance(batches, IterableDataset)
    shared = list(DataLoader(batches, batch_size=None, num_workers=2))
    assert isinstance(shared[0]["image"], torch.Tensor)
    assert sorted(ids(shared)) == sorted(whole)
    ranks = [ImageBatches(dataset, **given, rank=rank, world_size=9, shuffle=rank < 8) for rank in range(9)]
    assert sorted(processid for rank in ranks for processid in ids(rank)) == sorted(whole)
    units = [Unit("a", group) for group in range(5)]
    assert sorted(unit for reader in range(2) for unit in share(units, reader, 2)) == units


def test_shuffling_depends_on_seed_and_epoch_alone(dataset):
    given = {"split": "all", "columns": ["processid"], "batch_size": 16, "label": "order"}

    def order(batches, epoch=0):
        batches.set_epoch(epoch)
        return ids(batches)

    plain = ids(ImageBatches(dataset, **given))
    shuffled = [ImageBatches(dataset, **given, shuffle=True, seed=seed, threads=1 + seed) for seed in (0, 1)]
    orders = [order(batches, epoch) for batches in shuffled for epoch in (0, 1)]
    assert all(sorted(one) == sorted(plain) for one in orders)
    assert len({tuple(one) for one in (plain, *orders)}) == 5
    assert order(shuffled[0]) == ids(ImageBatches(dataset, **given, shuffle=True, threads=2)) == orders[0]
    rows = load_specimens(dataset, split="all", columns=["processid"], label="order")
    labels = {row["processid"]: row["label"] for row in rows}
    for batch in ImageBatches(dataset, **given, shuffle=True):
        assert [labels[processid] for processid in batch["processid"]] == batch["label"].tolist()


@KINDS
def test_even_batches_are_the_same_for_any_number_of_processes(dataset, kind):
    given = {"split": "all", "columns": ["processid"], "batch_size": 12, "shuffle": True, "even": True}
    whole = list(kind(dataset, **given))
    batches = [kind(dataset, **given, rank=rank, world_size=3) for rank in range(3)]
    parts = [list(each) for each in batches]
    assert len(whole) == batches[0].full_batches > 2
    assert {len(part) for part in parts} == {len(whole)}
    for place, batch in enumerate(whole):
        assert batch["processid"] == [name for part in parts for name in part[place]["processid"]]
        assert np.array_equal(batch["image"], np.concatenate([part[place]["image"] for part in parts]))
    batches[1].set_epoch(0, start=2)
    again = [batch["processid"] for batch in batches[1]]
    assert again == [batch["processid"] for batch in parts[1][2:]]
    for wrong in ({"world_size": 5}, {"on_error": "skip"}):
        with pytest.raises(ValueError, match="even batches need a batch_size that"):
            kind(dataset, **given | wrong)
    from torch.utils.data import DataLoader

    with pytest.raises(ValueError, match="even batches have no workers, and there are 2"):
        list(DataLoader(kind(dataset, **given), batch_size=None, num_workers=2))


def test_a_mapped_dataset_gives_the_same_specimens_in_an_order_drawn_from_all(dataset):
    given = {"split": "all", "columns": ["processid", "coord-lat"], "label": "order", "batch_size": 16}
    plain, mapped = list(ImageBatches(dataset, **given)), MappedBatches(dataset, **given)
    for one, other in zip(plain, mapped, strict=True):
        assert one.keys() == other.keys()
        assert one["processid"] == other["processid"]
        for name in ("image", "label", "coord-lat"):
            assert np.array_equal(one[name], other[name], equal_nan=name == "coord-lat")
    shuffled = MappedBatches(dataset, **given, shuffle=True, seed=3)
    orders = []
    for epoch in (0, 1, 0):
        shuffled.set_epoch(epoch)
        orders.append(ids(shuffled))
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(ids(plain))
    ranks = [MappedBatches(dataset, **given, shuffle=True, rank=rank, world_size=3) for rank in range(3)]
    assert sorted(processid for rank in ranks for processid in ids(rank)) == sorted(ids(plain))
    with pytest.raises(ValueError, match="unknown split"):
        MappedBatches(dataset, split="dev")


def where_from(view, size):
    """Map every pixel's centre of a target to the photograph, by one matrix for each of what is done."""
    top, left, tall, wide = view.part
    cos, sin = np.cos(view.turned), np.sin(view.turned)
    to_middle = np.array([[1, 0, -size[1] / 2], [0, 1, -size[0] / 2], [0, 0, 1]])
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    mirror = np.diag([-1 if view.mirrored[0] else 1, -1 if view.mirrored[1] else 1, 1])
    scale = np.diag([wide / size[1], tall / size[0], 1])
    back = np.array([[1, 0, left + wide / 2], [0, 1, top + tall / 2], [0, 0, 1]])
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    points = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    found = back @ scale @ mirror @ turn @ to_middle @ points
    return found[0].reshape(size), found[1].reshape(size)


def test_what_is_seen_is_the_part_mirrored_and_turned(dataset):
    y, x = np.mgrid[:100, :120].astype(np.float32) + 0.5
    photograph = np.stack([2 * x, 2 * y, np.full_like(x, 255)], axis=-1).round().astype(np.uint8)
    dark = 0
    for number in range(40):
        view = Augmentation(seed=7).view(f"A-{number}", 100, 120)
        top, left, tall, wide = view.part
        seen = view.place(photograph, np.zeros((64, 48, 3), np.uint8))
        across, down = where_from(view, (64, 48))
        inside = (across > left + 1) & (across < left + wide - 1) & (down > top + 1) & (down < top + tall - 1)
        outside = (across < left - 1) | (across > left + wide + 1) | (down < top - 1) | (down > top + tall + 1)
        assert np.abs(seen[inside][:, 0] - 2 * across[inside]).max() < 2
        assert np.abs(seen[inside][:, 1] - 2 * down[inside]).max() < 2
        assert (seen[inside][:, 2] == 255).all()
        assert not seen[outside].any()
        dark += outside.sum()
    assert dark > 0


def test_views_are_drawn_as_said_and_depend_on_seed_epoch_and_specimen():
    views = [Augmentation(seed=1).view(f"A-{number}", 256, 300) for number in range(4000)]
    areas = np.array([view.part[2] * view.part[3] for view in views]) / (256 * 300)
    shapes = np.array([view.part[3] / view.part[2] for view in views])
    assert 0.075 < areas.min() < 0.1
    assert 0.95 < areas.max() <= 1
    assert 0.74 < shapes.min() < shapes.max() < 1.35
    assert abs(np.mean(np.log(shapes[areas < 0.4]))) < 0.02  # larger parts of a wide photograph are wide
    for side in (0, 1):
        assert abs(np.mean([view.mirrored[side] for view in views]) - 0.5) < 0.03
    turned = np.degrees([view.turned for view in views])
    assert (np.abs(turned) <= 45).all()
    assert turned.min() < -44
    assert turned.max() > 44
    assert all(view.part[0] + view.part[2] <= 256 and view.part[1] + view.part[3] <= 300 for view in views)
    one = Augmentation(seed=1).view("A-1", 256, 300)
    assert one == views[1]
    others = [
        Augmentation(seed=2).view("A-1", 256, 300),
        Augmentation(seed=1, epoch=1).view("A-1", 256, 300),
        views[2],
    ]
    assert one not in others
    assert Augmentation(area=(1, 1), shape=(1, 1)).view("A-1", 10, 400).part == (0, 0, 10, 400)
    for wrong in ({"area": (0, 1)}, {"area": (0.9, 0.5)}, {"shape": (2, 1)}, {"degrees": -1}):
        with pytest.raises(ValueError, match="use shares from 0 to 1"):
            Augmentation(**wrong)


@KINDS
def test_a_share_of_the_specimens_is_the_same_every_time(dataset, kind):
    given = {"split": "all", "columns": ["processid"], "batch_size": 7}
    whole = ids(kind(dataset, **given))
    some, fewer = (kind(dataset, **given, share=share) for share in (0.3, 0.1))
    limit = f"{int(0.3 * 2**128):032x}"
    assert ids(some) == [name for name in whole if hashlib.md5(name.encode()).hexdigest() < limit]
    assert 0 < len(ids(fewer)) < len(ids(some)) < len(whole)
    assert set(ids(fewer)) < set(ids(some))
    assert some.full_batches == len(ids(some)) // 7
    with pytest.raises(ValueError, match="share is 0: use a number above 0"):
        kind(dataset, **given, share=0)


@KINDS
def test_augmented_batches_differ_by_epoch_and_not_by_processes_or_order(dataset, kind):
    given = {"split": "all", "columns": ["processid"], "batch_size": 12, "frame": Frame((64, 64), resize=73)}
    given |= {"augmentation": Augmentation(), "seed": 5}

    def photographs(batches, epoch):
        batches.set_epoch(epoch)
        return {
            name: image for batch in batches for name, image in zip(batch["processid"], batch["image"], strict=True)
        }

    plain = kind(dataset, **given)
    first, second = photographs(plain, 0), photographs(plain, 1)
    assert np.mean([np.array_equal(first[name], second[name]) for name in first]) < 0.1
    others = [kind(dataset, **given, shuffle=True, even=True, rank=rank, world_size=2, threads=1) for rank in (0, 1)]
    for batches in others:
        for name, image in photographs(batches, 1).items():
            assert np.array_equal(image, second[name])


def test_selects_as_load_specimens_does(dataset):
    given = {"split": "all", "columns": ["processid", "dna_barcode"], "one_per_barcode": True, "max_nucleotides": 40}
    batches = list(ImageBatches(dataset, **given, drop_last=True, batch_size=10))
    rows = load_specimens(dataset, streaming=True, **given)
    expected = [row["processid"] for row in rows]
    assert ids(batches) == expected[: len(expected) // 10 * 10]
    assert {len(barcode) for batch in batches for barcode in batch["dna_barcode"]} == {40}


def test_batches_that_are_kept_do_not_change(dataset):
    kept = [batch["image"] for batch in ImageBatches(dataset, split="all", batch_size=4)]
    whole = np.concatenate([batch["image"] for batch in ImageBatches(dataset, split="all")])
    assert np.array_equal(np.concatenate(kept), whole)
    tensors = [torch.from_numpy(batch["image"])[:1] for batch in ImageBatches(dataset, split="all", batch_size=4)]
    assert np.array_equal(torch.cat(tensors).numpy(), whole[::4])


def test_can_be_left_early_and_begun_again(dataset):
    batches = pickle.loads(pickle.dumps(ImageBatches(dataset, split="all", columns=["processid"], batch_size=4)))
    first = next(iter(batches))
    assert first["processid"] == next(iter(batches))["processid"]


def test_reads_a_repository_on_the_hub(dataset, hub, repo_id):
    client = huggingface_hub.HfApi(token="hf_token")
    client.create_repo(repo_id, repo_type="dataset")
    client.upload_folder(
        folder_path=dataset, repo_id=repo_id, repo_type="dataset", ignore_patterns=[".*", "original*"]
    )
    given = {"split": "unseen", "columns": ["processid"], "label": "genus"}
    assert ids(ImageBatches(repo_id, **given, revision="main")) == ids(ImageBatches(dataset, **given))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"split": "dev"}, "unknown split"),
        ({"columns": ["colour"]}, "unknown column 'colour'"),
        ({"label": "tribe"}, "unknown rank 'tribe'"),
        ({"config": "metadata"}, "unknown column 'image' in config 'metadata'"),
        ({"batch_size": 0}, "must be positive"),
        ({"threads": 0}, "must be positive"),
        ({"rank": 1}, "rank 1 of world_size 1"),
        ({"on_error": "ignore"}, "on_error 'ignore'"),
    ],
)
def test_says_what_is_wrong(dataset, given, message):
    with pytest.raises(ValueError, match=message):
        ImageBatches(dataset, **{"split": "val", **given})


@pytest.mark.parametrize("given", [{"size": (0, 4)}, {"resize": 0}, {"fill": (0, 0, 256)}])
def test_a_frame_must_be_possible(given):
    with pytest.raises(ValueError, match="use "):
        Frame(**given)
