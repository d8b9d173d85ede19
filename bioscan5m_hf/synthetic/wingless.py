"""Body plans of thrips, crickets, cockroaches and the like, and of the arthropods that are no insects."""

from __future__ import annotations

import math

from .looks import Look
from .parts import DARK, antennae, eyes, legs, segments, spots
from .pen import Pen, curve, mix, oval


def thrips(pen: Pen, look: Look) -> None:
    """A thin pointed body, wings like feathers."""
    legs(pen, look, ((-0.26, -35, 0.2), (-0.16, 15, 0.2), (-0.1, 45, 0.26)), width=0.03)
    antennae(pen, look, -0.46, 0.2, spread=28, width=0.026)
    segments(pen, look, -0.12, 0.5, 0.1, count=9, taper=0.45)
    pen.solid(oval((0, -0.2), 0.095, 0.09, power=2.6), mix(look.body, DARK, 0.15))
    pen.solid(oval((0, -0.32), 0.08, 0.07, power=2.8), look.body)
    pen.solid(oval((0, -0.42), 0.06, 0.07, power=2.8), mix(look.body, DARK, 0.15))
    eyes(pen, look, -0.45, 0.05, 0.022, colour=(40, 20, 20))
    opening = look.pose.uniform(60, 84)
    for side in (-1, 1):
        angle = math.radians(opening)
        axis = [
            (side * (0.07 + math.cos(angle) * t * 0.6), -0.18 + math.sin(angle) * t * 0.6)
            for t in (0, 0.25, 0.5, 0.75, 1)
        ]
        for number in range(14):
            t = number / 13
            x, y = side * (0.07 + math.cos(angle) * t * 0.6), -0.18 + math.sin(angle) * t * 0.6
            pen.vein([(x, y), (x + side * 0.11, y + 0.1)], look.limbs, opacity=0.6, width=0.004)
        pen.line(axis, 0.03, mix(look.limbs, look.veil, 0.5), opacity=0.9)


def cockroach(pen: Pen, look: Look) -> None:
    """A flat oval, the head under a broad shield, leathery wings, spiny legs."""
    legs(pen, look, ((-0.22, -30, 0.42), (-0.1, 20, 0.48), (0.0, 50, 0.62)), start=0.15, width=0.034)
    antennae(pen, look, -0.44, 0.85, spread=36, width=0.011)
    for side in (-1, 1):
        pen.limb([(side * 0.08, 0.42), (side * 0.16, 0.54)], 0.03, look.limbs)
    pen.solid(oval((0, -0.42), 0.08, 0.06), mix(look.body, DARK, 0.4))
    segments(pen, look, -0.2, 0.48, 0.22, taper=0.1)
    for side in (-1, 1):
        sheet = [
            (0.0, -0.22),
            (side * 0.2, -0.22),
            (side * 0.24, 0.0),
            (side * 0.2, 0.3),
            (side * 0.06, 0.48),
            (0.0, 0.46),
        ]
        pen.solid([*curve(sheet, 5), (0.0, 0.1)], look.body, gloss=0.2)
        for share in (0.3, 0.55, 0.8):
            pen.vein([(side * 0.1, -0.18), (side * 0.24 * share, 0.3)], DARK, opacity=0.3, width=0.005)
    pen.solid(oval((0, -0.3), 0.21, 0.12, power=2.3), mix(look.body, look.second, 0.3))
    pen.area(oval((0, -0.29), 0.1, 0.06), look.second, opacity=0.5, counts=False)


def cricket(pen: Pen, look: Look) -> None:
    """A long body, a saddle behind the head, jumping legs."""
    legs(pen, look, ((-0.28, -40, 0.34), (-0.2, 20, 0.36)), width=0.03)
    for side in (-1, 1):
        spread = look.pose.uniform(0.2, 0.3)
        hip, knee, foot = (side * 0.06, 0.04), (side * spread, -0.18), (side * (spread + 0.1), 0.5)
        middle = ((hip[0] + knee[0]) / 2, (hip[1] + knee[1]) / 2)
        turn = math.atan2(knee[0] - hip[0], hip[1] - knee[1])
        pen.solid(oval(middle, 0.05, math.dist(hip, knee) * 0.54, turn=turn, taper=-0.4), look.body)
        pen.limb([knee, foot, (foot[0] + side * 0.04, foot[1] + 0.1)], 0.026, look.limbs)
    antennae(pen, look, -0.47, 0.25 if look.form < 0.4 else 0.9, spread=26, width=0.012)
    segments(pen, look, -0.16, 0.48, 0.1, count=9, taper=0.2)
    for side in (-1, 1):
        sheet = [
            (0.0, -0.18),
            (side * 0.085, -0.16),
            (side * 0.085, 0.2),
            (side * 0.03, 0.4 * (0.5 + look.wings / 2)),
            (0.0, 0.2),
        ]
        pen.solid(curve(sheet, 4), mix(look.body, look.veil, 0.35), gloss=0.1)
    pen.solid(oval((0, -0.25), 0.115, 0.12, power=3), mix(look.body, look.second, 0.2))
    pen.solid(oval((0, -0.415), 0.095, 0.08, power=2.4), look.body)
    eyes(pen, look, -0.42, 0.08, 0.03, colour=(36, 26, 22))


def earwig(pen: Pen, look: Look) -> None:
    """A long flat body with forceps at its end."""
    for side in (-1, 1):
        pen.line(
            curve([(side * 0.05, 0.32), (side * 0.11, 0.42), (side * 0.02, 0.52)], 6),
            0.028,
            mix(look.body, DARK, 0.35),
        )
    legs(pen, look, ((-0.26, -35, 0.22), (-0.16, 10, 0.22), (-0.08, 42, 0.26)), width=0.026)
    antennae(pen, look, -0.46, 0.38, spread=34, width=0.014)
    segments(pen, look, -0.08, 0.36, 0.085, count=9, taper=-0.08)
    for side in (-1, 1):
        pen.solid(
            [(0, -0.2), (side * 0.08, -0.2), (side * 0.085, -0.03), (0, -0.01)], mix(look.body, look.second, 0.3)
        )
    pen.solid(oval((0, -0.26), 0.075, 0.07, power=3), look.body)
    pen.solid(oval((0, -0.4), 0.075, 0.075), mix(look.body, DARK, 0.25))
    eyes(pen, look, -0.4, 0.065, 0.02, colour=(20, 16, 16))


def silverfish(pen: Pen, look: Look) -> None:
    """A tapering scaly body with three tails and long antennae."""
    for x in (-1, 0, 1):
        pen.line(curve([(0, 0.38), (0.12 * x, 0.6), (0.28 * x, 0.85)], 5), 0.013, look.limbs)
    legs(pen, look, ((-0.3, -25, 0.24), (-0.22, 15, 0.24), (-0.14, 45, 0.26)), start=0.1, width=0.026)
    antennae(pen, look, -0.46, 0.7, spread=30, width=0.013)
    segments(pen, look, -0.34, 0.42, 0.14, count=12, taper=0.45, bands=False)
    pen.solid(oval((0, -0.4), 0.09, 0.07), mix(look.body, DARK, 0.15))
    eyes(pen, look, -0.41, 0.05, 0.025, colour=(24, 20, 20))


def stick(pen: Pen, look: Look) -> None:
    """A twig with legs."""
    legs(pen, look, ((-0.38, -55, 0.4), (-0.25, 10, 0.34), (-0.08, 50, 0.4)), start=0.02, width=0.012)
    antennae(pen, look, -0.49, 0.28, spread=22, width=0.007)
    segments(pen, look, -0.42, 0.5, 0.024, count=12, taper=0.2, bands=False, power=4)
    pen.solid(oval((0, -0.46), 0.024, 0.04), look.body)
    eyes(pen, look, -0.47, 0.02, 0.009, colour=(20, 20, 20))


def spider(pen: Pen, look: Look) -> None:
    """Two body parts, eight legs, palps, eight eyes."""
    length = 0.62 + 0.5 * look.legs
    pairs = ((-0.3, -58, length * 1.12), (-0.25, -22, length), (-0.19, 18, length * 0.85), (-0.13, 56, length * 1.05))
    legs(pen, look, pairs, start=0.09, width=0.042)
    for side in (-1, 1):
        pen.limb([(side * 0.05, -0.38), (side * 0.1, -0.5), (side * 0.05, -0.58)], 0.035, look.limbs)
        pen.line([(side * 0.03, 0.42), (side * 0.04, 0.52)], 0.03, look.limbs)
    broad = 0.2 + 0.09 * look.slender
    pen.solid(oval((0, 0.17), broad, 0.29, taper=0.08), look.body)
    if look.pattern < 0.6:
        for number in range(2 + int(3 * look.marks)):
            y, wide = 0.0 + 0.1 * number, broad * (0.5 - 0.06 * number)
            pen.vein([(-wide, y + 0.04), (0, y), (wide, y + 0.04)], look.second, opacity=0.85, width=0.025)
    else:
        spots(pen, look, [(broad * 0.4, 0.02), (broad * 0.42, 0.15), (broad * 0.35, 0.28)], 0.03)
        pen.area(oval((0, 0.1), 0.035, 0.14), look.second, opacity=0.7, counts=False)
    pen.solid(oval((0, -0.25), 0.15, 0.17, taper=-0.2), mix(look.limbs, look.body, 0.4))
    pen.vein([(0, -0.24), (0, -0.15)], DARK, opacity=0.6, width=0.015)
    for x, y in ((0.025, -0.39), (0.07, -0.37), (0.03, -0.345), (0.08, -0.33)):
        spots_at = ((x, y), (-x, y))
        for place in spots_at:
            pen.area(oval(place, 0.014, 0.014, steps=10), (12, 10, 10), counts=False)


def harvestman(pen: Pen, look: Look) -> None:
    """One round body on eight extremely long legs."""
    pairs = ((-0.2, -52, 1.9), (-0.1, -18, 2.3), (0.0, 16, 1.9), (0.1, 50, 2.1))
    legs(pen, look, pairs, start=0.2, width=0.03)
    pen.solid(oval((0, 0), 0.3, 0.42, taper=-0.1), look.body)
    for number in range(5):
        y = 0.0 + 0.07 * number
        pen.vein([(-0.24, y), (0, y + 0.03), (0.24, y)], look.second, opacity=0.7, width=0.02)
    eyes(pen, look, -0.22, 0.06, 0.04, colour=(14, 12, 12))


def mite(pen: Pen, look: Look) -> None:
    """One round body, eight short legs."""
    length = 0.34 + 0.2 * look.legs
    pairs = ((-0.28, -55, length * 1.15), (-0.2, -28, length), (-0.02, 26, length), (0.08, 50, length * 1.1))
    legs(pen, look, pairs, start=0.2, width=0.05)
    pen.solid(oval((0, -0.4), 0.1, 0.1, taper=-0.2), mix(look.body, DARK, 0.25))
    pen.solid(oval((0, 0.06), 0.3 + 0.08 * look.slender, 0.42, taper=-0.12, power=2.2), look.body, gloss=0.35)
    if look.pattern < 0.5:
        spots(pen, look, [(0.14, -0.05), (0.16, 0.18)], 0.06)
    for number in range(10):
        angle = math.pi * (0.1 + 0.8 * number / 9)
        x, y = 0.31 * math.cos(angle), 0.06 + 0.4 * math.sin(angle)
        pen.vein([(x, y), (x * 1.3, y + 0.1 * math.sin(angle))], look.limbs, opacity=0.7, width=0.01)


def pseudoscorpion(pen: Pen, look: Look) -> None:
    """A pear-shaped body with large pincers."""
    legs(pen, look, ((-0.2, -30, 0.32), (-0.12, -5, 0.32), (-0.05, 25, 0.36), (0.02, 48, 0.4)), start=0.12, width=0.04)
    for side in (-1, 1):
        pen.limb([(side * 0.08, -0.3), (side * 0.34, -0.28), (side * 0.4, -0.55)], 0.075, look.limbs)
        pen.solid(oval((side * 0.38, -0.64), 0.07, 0.12, turn=-side * 0.2), look.limbs)
        for bend in (-0.5, 0.9):
            tip = (side * (0.33 + 0.03 * bend), -0.9)
            pen.line(
                curve([(side * 0.36, -0.72), (side * (0.34 + 0.07 * bend), -0.82), tip], 4),
                0.03,
                mix(look.limbs, DARK, 0.3),
            )
    segments(pen, look, -0.16, 0.48, 0.2, count=10, taper=-0.12, bands=False)
    pen.solid(oval((0, -0.25), 0.14, 0.14, taper=-0.25), mix(look.body, DARK, 0.25))


def springtail(pen: Pen, look: Look) -> None:
    """A segmented sausage with short legs, four-jointed antennae and a fork folded under the tail."""
    for side in (-1, 1):
        pen.line(
            curve([(side * 0.02, 0.4), (side * 0.05, 0.56), (side * 0.09, 0.72)], 4), 0.026, mix(look.body, DARK, 0.15)
        )
    legs(pen, look, ((-0.25, -30, 0.24), (-0.14, 12, 0.24), (-0.04, 42, 0.26)), start=0.07, width=0.034)
    antennae(pen, look, -0.44, 0.3 + 0.3 * look.legs, spread=32, width=0.032)
    breadth = 0.11 + 0.04 * look.slender
    for number, (y, half) in enumerate(
        ((-0.25, 0.07), (-0.13, 0.09), (0.0, 0.08), (0.11, 0.08), (0.25, 0.13), (0.4, 0.08))
    ):
        shade = look.second if look.pattern < 0.5 and number % 2 else look.body
        pen.solid(
            oval((0, y), breadth * (1 - 0.3 * abs(number - 3) / 3), half, power=2.5, steps=28), shade, gloss=0.15
        )
    pen.solid(oval((0, -0.37), 0.085, 0.08), look.body)
    spots(pen, look, [(0.06, -0.39)], 0.02)
    for number in range(22):
        y, side = -0.4 + 0.042 * number, 1 if number % 2 else -1
        pen.vein([(side * breadth * 0.8, y), (side * breadth * 1.35, y + 0.04)], look.limbs, opacity=0.5, width=0.006)


def globular_springtail(pen: Pen, look: Look) -> None:
    """A little ball with elbowed antennae and a fork."""
    for side in (-1, 1):
        pen.line([(side * 0.03, 0.42), (side * 0.08, 0.66)], 0.03, look.limbs)
    legs(pen, look, ((-0.2, -30, 0.4), (-0.1, 10, 0.4), (0.0, 40, 0.42)), start=0.1, width=0.04)
    antennae(pen, look, -0.42, 0.5, spread=40, width=0.03, elbow=True)
    pen.solid(oval((0, 0.13), 0.32 + 0.06 * look.slender, 0.33, taper=-0.08), look.body, gloss=0.35)
    if look.pattern < 0.6:
        spots(pen, look, [(0.12, 0.0), (0.18, 0.15), (0.1, 0.28)], 0.04 + 0.02 * look.marks)
    pen.solid(oval((0, -0.3), 0.17, 0.15), look.body)
    spots(pen, look, [(0.1, -0.36)], 0.04)


def amphipod(pen: Pen, look: Look) -> None:
    """A body bent like a comma, seen from the side, with many legs below."""
    arc = [(0.28 * math.sin(t), -0.45 * math.cos(t)) for t in (0.0, 0.35, 0.7, 1.05, 1.4, 1.75, 2.1, 2.45, 2.8)]
    for number, (x, y) in enumerate(arc[1:-1]):
        pen.limb([(x, y), (x - 0.26, y + 0.02 * number), (x - 0.34, y + 0.1)], 0.024, look.limbs)
    pen.line(curve([(-0.02, -0.48), (-0.25, -0.55), (-0.5, -0.5)], 4), 0.016, look.limbs)
    pen.line(curve([(-0.02, -0.45), (-0.2, -0.47), (-0.36, -0.4)], 4), 0.014, look.limbs)
    for number, (x, y) in enumerate(reversed(arc)):
        pen.solid(
            oval((x, y), 0.075 + 0.012 * number, 0.075, turn=0.35 * (len(arc) - number), steps=24),
            look.body,
            gloss=0.2,
        )
    pen.area(oval((-0.02, -0.47), 0.022, 0.03, steps=14), (16, 12, 12), counts=False)


def woodlouse(pen: Pen, look: Look) -> None:
    """An oval armour of plates with seven pairs of legs."""
    legs(pen, look, [(-0.3 + 0.1 * i, -40 + 14 * i, 0.3) for i in range(7)], start=0.2, width=0.022)
    antennae(pen, look, -0.42, 0.3, spread=45, width=0.022, elbow=True)
    for side in (-1, 1):
        pen.line([(side * 0.05, 0.42), (side * 0.09, 0.54)], 0.03, look.limbs)
    segments(pen, look, -0.42, 0.48, 0.27, count=11, taper=0.08, bands=None, power=2.4)
    pen.solid(oval((0, -0.41), 0.13, 0.07), mix(look.body, DARK, 0.2))


def millipede(pen: Pen, look: Look) -> None:
    """Many rings, two pairs of legs on each, bristles."""
    legs(pen, look, [(-0.36 + 0.055 * i, -20 + 3 * i, 0.16) for i in range(15)], start=0.06, width=0.014)
    antennae(pen, look, -0.46, 0.14, spread=36, width=0.022)
    for number in range(16):
        y = 0.46 - 0.055 * number
        pen.solid(
            oval((0, y), 0.085 - 0.03 * (number < 2), 0.036, power=3, steps=24),
            look.body if number % 2 else mix(look.body, look.second, 0.4),
        )
    pen.solid(oval((0, -0.43), 0.08, 0.05), mix(look.body, DARK, 0.2))


def centipede(pen: Pen, look: Look) -> None:
    """A flat ribbon with one pair of legs on each ring, the last pair trailing."""
    legs(pen, look, [(-0.34 + 0.055 * i, -10 + 4.5 * i, 0.22 + 0.008 * i) for i in range(15)], start=0.04, width=0.016)
    antennae(pen, look, -0.46, 0.4, spread=34, width=0.016)
    for number in range(16):
        y = 0.46 - 0.055 * number
        pen.solid(
            oval((0, y), 0.05, 0.033, power=3.2, steps=24),
            look.body if number % 2 else mix(look.body, look.second, 0.25),
        )
    pen.solid(oval((0, -0.43), 0.055, 0.055), mix(look.body, DARK, 0.2))


def waterflea(pen: Pen, look: Look) -> None:
    """A clear shell with a dark gut and eye, branched swimming antennae and a spine."""
    for side in (-1, 1):
        pen.limb([(side * 0.08, -0.28), (side * 0.4, -0.42), (side * 0.62, -0.28)], 0.034, look.limbs)
        for end in (-0.56, -0.4, -0.2, -0.06):
            pen.line([(side * 0.42, -0.42), (side * 0.74, end)], 0.012, look.limbs)
    pen.line([(0, 0.4), (0.02, 0.72)], 0.02, look.limbs)
    pen.area(oval((0, 0.06), 0.3, 0.42, taper=0.15), mix(look.body, DARK, 0.15), opacity=0.75)
    pen.area(oval((-0.02, 0.04), 0.26, 0.38, taper=0.15), mix(look.body, (255, 250, 240), 0.25), opacity=0.7)
    pen.vein(
        curve([(0, -0.35), (0.1, -0.1), (0.04, 0.15), (-0.05, 0.36)], 5),
        mix(look.second, DARK, 0.35),
        opacity=0.7,
        width=0.05,
    )
    pen.area(oval((0, -0.36), 0.16, 0.13), mix(look.body, (255, 250, 240), 0.1), opacity=0.85)
    pen.area(oval((0, -0.42), 0.05, 0.05), (16, 12, 12))
