"""Drawn dishes, and an invented release with its boxes."""

import zipfile

from PIL import Image


BOXES = "BIOSCAN_5M_Insect_bbox.tsv"
GROUND, BODY = (200, 205, 210), (60, 40, 20)


def dish(box=(400, 300, 500, 360), size=(1024, 768)):
    picture = Image.new("RGB", size, GROUND)
    if box:
        picture.paste(BODY, box)
    return picture


def photographs(release):
    found = {}
    for path in sorted(release.glob("BIOSCAN_5M_original_full*.zip")):
        with zipfile.ZipFile(path) as archive:
            found |= {name.rpartition("/")[2][:-4]: archive.read(name) for name in archive.namelist()}
    return found


def overlap(one, other):
    x0, y0, x1, y1 = max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])
    both = max(0, x1 - x0) * max(0, y1 - y0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return both / (areas - both)
