"""Body plans of the winged insects."""

from __future__ import annotations

import math

from .looks import Look
from .parts import DARK, antennae, eyes, legs, membrane, segments, spots, wing_point
from .pen import Pen, Point, curve, mix, oval


def fly(pen: Pen, look: Look) -> None:
    """Two wings; a gnat with long legs and antennae, or a stout fly with large eyes."""
    pose = look.pose
    gnat = look.form < 0.5
    legs_length = (0.75 if gnat else 0.5) + 0.45 * look.legs
    slim = 0.075 + 0.04 * look.slender if gnat else 0.14 + 0.07 * look.slender
    legs(
        pen,
        look,
        ((-0.2, -38, legs_length), (-0.13, 8, legs_length), (-0.06, 52, legs_length * 1.1)),
        width=0.022 if gnat else 0.03,
    )
    segments(pen, look, -0.1, 0.5, slim, taper=0.1 if gnat else 0.3)
    pen.solid(oval((0, -0.19), slim * 1.05 + 0.02, 0.15, power=2.2), mix(look.body, DARK, 0.15))
    if look.pattern > 0.6:
        for x in (-0.035, 0.035):
            pen.area(oval((x, -0.2), 0.012, 0.1, steps=12), look.second, opacity=0.7, counts=False)
    if not gnat:
        pen.solid(oval((0, -0.07), slim * 0.55, 0.045), mix(look.body, look.second, 0.3))
    head = -0.4
    pen.solid(oval((0, head), 0.075 if gnat else 0.13, 0.07 if gnat else 0.085), mix(look.body, DARK, 0.2))
    red = (122, 36, 26) if look.form > 0.7 else (52, 30, 26)
    eyes(pen, look, head, 0.05 if gnat else 0.085, 0.04 if gnat else 0.062, colour=red)
    if gnat:
        antennae(pen, look, head - 0.05, 0.35 + 0.3 * look.legs, spread=42, feathered=0.07 if look.form < 0.2 else 0)
    else:
        antennae(pen, look, head - 0.07, 0.09, spread=25, width=0.018)
    opening = pose.uniform(22, 48) if pose.random() < 0.6 else pose.uniform(58, 76)
    length = 0.72 + 0.3 * look.wings
    for side in (-1, 1):
        degrees = opening + pose.gauss(0, 5)
        membrane(
            pen,
            side,
            (slim * 0.8, -0.2),
            degrees,
            length,
            length * (0.3 if gnat else 0.4),
            look.veil,
            opacity=0.34,
            veins=4,
        )
        if look.form > 0.86:
            tip = wing_point(side, (slim * 0.8, -0.2), math.radians(degrees), length * 0.78, -length * 0.03)
            pen.area(oval(tip, 0.06, 0.05, steps=16), look.second, opacity=0.5, counts=False)


def wasp(pen: Pen, look: Look) -> None:
    """Four wings and a narrow waist; in some families an ant without wings, in others a long ovipositor."""
    pose = look.pose
    ant = look.form > 0.86
    length = 0.55 + 0.3 * look.legs
    legs(pen, look, ((-0.2, -35, length), (-0.13, 10, length), (-0.06, 48, length * 1.15)), width=0.026)
    broad = 0.1 + 0.05 * look.slender
    if look.form < 0.4:
        tail = 0.15 + 0.4 * look.legs
        for x in (-0.012, 0.0, 0.012):
            pen.line(
                curve([(0, 0.45), (x * 2, 0.5 + tail * 0.6), (x * 4, 0.5 + tail)], 4),
                0.008,
                mix(look.limbs, DARK, 0.3),
            )
    pen.line([(0, -0.04), (0, 0.1)], 0.035, mix(look.body, DARK, 0.2))
    if ant:
        pen.solid(oval((0, 0.02), 0.035, 0.035), look.body)
    segments(pen, look, 0.06, 0.5, broad * 1.02, count=6, taper=0.12)
    pen.solid(oval((0, -0.15), broad * (0.7 if ant else 0.9), 0.14, power=2.3, taper=0.12), mix(look.body, DARK, 0.12))
    pen.vein([(-broad * 0.6, -0.13), (0, -0.1), (broad * 0.6, -0.13)], DARK, opacity=0.5, width=0.008)
    size = 0.12 if ant else 0.095
    pen.solid(oval((0, -0.375), size, 0.085, power=2.4), mix(look.body, DARK, 0.22))
    eyes(pen, look, -0.375, size * 0.78, 0.03 if ant else 0.042, colour=(44, 30, 28))
    antennae(pen, look, -0.44, 0.4 + 0.35 * look.wings, spread=38, width=0.02, elbow=ant or look.form > 0.45)
    if ant:
        return
    opening = pose.uniform(18, 40) if pose.random() < 0.65 else pose.uniform(60, 74)
    reach = 0.62 + 0.25 * look.wings
    for side in (-1, 1):
        degrees = opening + pose.gauss(0, 4)
        hind = (degrees + 22, reach * 0.62, reach * 0.2)
        membrane(pen, side, (broad * 0.6, -0.12), *hind, look.veil, opacity=0.28, veins=1)
        membrane(pen, side, (broad * 0.7, -0.2), degrees, reach, reach * 0.3, look.veil, opacity=0.36, veins=3)
        mark = wing_point(side, (broad * 0.7, -0.2), math.radians(degrees), reach * 0.62, reach * 0.055)
        pen.area(
            oval(mark, 0.035, 0.018, turn=side * math.radians(degrees), steps=14),
            mix(look.body, DARK, 0.3),
            opacity=0.85,
        )


def bug(pen: Pen, look: Look) -> None:
    """A wedge with roof-like wings (leafhoppers), or a shield with a large triangle (true bugs)."""
    hopper = look.form < 0.6
    length = 0.36 + 0.22 * look.legs
    legs(pen, look, ((-0.26, -35, length), (-0.18, 12, length), (-0.1, 56, length * 1.45)), start=0.12, width=0.024)
    broad = 0.17 + 0.05 * look.slender if hopper else 0.22 + 0.08 * look.slender
    antennae(pen, look, -0.46, 0.12 if hopper else 0.42, spread=45, width=0.009 if hopper else 0.016)
    pen.solid(oval((0, 0.08), broad * 0.9, 0.38, taper=0.35), mix(look.body, DARK, 0.25))
    for side in (-1, 1):
        end = 0.52 if hopper else 0.46
        outline: list[Point] = [(0, -0.1), (side * broad * 0.75, -0.24), (side * broad * 1.05, -0.05)]
        outline += [(side * broad * 0.85, 0.25), (side * broad * 0.4, end - 0.04), (side * 0.01, end)]
        sheet = [*curve(outline, 5), (0.0, 0.1)]
        pen.solid(sheet, look.body, gloss=0.18)
        for share in (0.3, 0.55, 0.8):
            x = side * broad * share
            nerve = curve([(x * 0.6, -0.12), (x, 0.12), (x * 0.6, end - 0.08)], 4)
            pen.vein(nerve, mix(look.body, DARK, 0.5), opacity=0.45, width=0.006)
        if not hopper:
            veil = [(0.0, 0.2), (side * broad * 0.9, 0.22), (side * broad * 0.45, end), (0.0, end + 0.02)]
            pen.area(curve(veil, 4), mix(look.veil, look.body, 0.25), opacity=0.75)
    if look.pattern < 0.5:
        spots(
            pen,
            look,
            [(broad * 0.55, 0.0 + 0.13 * i) for i in range(1 + int(3 * look.marks))],
            0.022 + 0.02 * look.marks,
        )
    pen.solid(
        [(-broad * 0.62, -0.22), (broad * 0.62, -0.22), (0.0, 0.03 if hopper else 0.1)],
        mix(look.body, look.second, 0.45),
    )
    pen.solid(oval((0, -0.28), broad * 0.95, 0.085, power=3, taper=-0.12), mix(look.body, look.second, 0.2))
    head = oval((0, -0.385), broad * (0.85 if hopper else 0.55), 0.085, taper=-0.35 if hopper else 0.0)
    pen.solid(head, look.body)
    eyes(pen, look, -0.385, broad * (0.78 if hopper else 0.52), 0.038, colour=(60, 34, 30))


def beetle(pen: Pen, look: Look) -> None:
    """Hard wing cases with a straight seam; long, oval or nearly round."""
    round_body = look.form > 0.75
    broad = (0.15 + 0.08 * look.slender) + (0.15 if round_body else 0.06 * (look.form > 0.45))
    length = (0.3 if round_body else 0.36) + 0.2 * look.legs
    legs(
        pen,
        look,
        ((-0.24, -35, length), (-0.12, 10, length), (0.0, 45, length * 1.1)),
        start=broad * 0.75,
        width=0.034,
    )
    long = 0.14 if round_body else 0.22 + 0.35 * look.wings
    antennae(pen, look, -0.44, long, spread=48, width=0.02, club=0.022 if look.form < 0.3 or round_body else 0.0)
    pen.solid(oval((0, -0.4), broad * 0.55, 0.095, power=2.4), mix(look.body, DARK, 0.35))
    eyes(pen, look, -0.41, broad * 0.5, 0.03, colour=(20, 16, 16))
    pen.solid(
        oval((0, -0.25), broad * 0.88, 0.105, power=3.0, taper=-0.08),
        mix(look.body, look.second, 0.3 * look.marks),
        gloss=0.4,
    )
    for side in (-1, 1):
        outline: list[Point] = [
            (0, -0.165),
            (side * broad * 0.92, -0.165),
            (side * broad * 1.04, 0.05),
            (side * broad * 0.9, 0.3),
        ]
        outline += [(side * broad * 0.45, 0.46), (0, 0.5)]
        pen.solid([*curve(outline, 5), (0.0, 0.2)], look.body, gloss=0.42)
        for number in range(1, 5):
            x = side * broad * number / 5.2
            pen.vein(
                [(x, -0.14), (x * 1.04, 0.1), (x * 0.8, 0.4)], mix(look.body, DARK, 0.6), opacity=0.35, width=0.006
            )
    count = 1 + int(3 * look.marks)
    if look.pattern < 0.3:
        spots(
            pen,
            look,
            [(broad * (0.35 + 0.25 * (i % 2)), -0.04 + 0.4 * i / count) for i in range(count)],
            0.035 + 0.025 * look.marks,
        )
    elif look.pattern < 0.5:
        y = -0.05 + 0.25 * look.marks
        pen.area(
            [(-broad, y), (broad, y), (broad * 0.96, y + 0.1), (-broad * 0.96, y + 0.1)],
            look.second,
            opacity=0.85,
            counts=False,
        )
    pen.vein([(0, -0.17), (0, 0.5)], DARK, opacity=0.9, width=0.009)
    pen.area([(-0.03, -0.165), (0.03, -0.165), (0, -0.1)], mix(look.body, DARK, 0.5), counts=False)


def moth(pen: Pen, look: Look) -> None:
    """Broad scaly wings with a pattern, spread or held as a roof; a furry body."""
    pose = look.pose
    roof = look.form < 0.5
    legs(pen, look, ((-0.25, -45, 0.32), (-0.18, 15, 0.34), (-0.1, 58, 0.4)), width=0.022)
    antennae(
        pen, look, -0.44, 0.5 + 0.2 * look.legs, spread=42, width=0.014, feathered=0.07 if look.form > 0.8 else 0.0
    )
    reach = 0.82 + 0.2 * look.wings
    opening = pose.uniform(52, 66) if roof else pose.uniform(-2, 14)
    for side in (-1, 1):
        if not roof:
            _scaly(pen, look, side, (0.06, -0.08), opening + 30, reach * 0.74, reach * 0.52, fore=False)
        long, broad = (0.92, 0.42) if roof else (0.95, 0.54)
        degrees = opening + pose.gauss(0, 2.5)
        _scaly(pen, look, side, (0.06, -0.24), degrees, reach * long, reach * broad, fore=True)
    segments(pen, look, -0.12, 0.45 if not roof else 0.3, 0.085, taper=0.3, bands=look.pattern < 0.25)
    pen.solid(oval((0, -0.23), 0.115, 0.15, power=2.2), mix(look.body, look.second, 0.25), gloss=0.15)
    for _ in range(26):
        angle = pose.uniform(0, 2 * math.pi)
        x, y = 0.11 * math.cos(angle), -0.23 + 0.14 * math.sin(angle)
        pen.line(
            [(x * 0.8, y), (x * 1.18, y + 0.02 * math.sin(angle))],
            0.008,
            mix(look.body, look.second, pose.random() * 0.6),
        )
    pen.solid(oval((0, -0.405), 0.075, 0.06), mix(look.body, look.second, 0.35))
    eyes(pen, look, -0.41, 0.065, 0.032, colour=(30, 22, 20))


def _scaly(
    pen: Pen, look: Look, side: int, hinge: Point, degrees: float, length: float, width: float, *, fore: bool
) -> None:
    """One wing of a moth: a rounded triangle with cross-bands, an eye-spot and a fringe."""
    angle = math.radians(degrees)

    def outline(size: float) -> list[Point]:
        hem = ((0.9, -0.5), (0.62, -0.75), (0.25, -0.5)) if fore else ((0.88, -0.55), (0.6, -0.85), (0.22, -0.5))
        corners = ((0.0, 0.0), (0.5, 0.13), (0.97, 0.2), (1.0, 0.02), *hem)
        places = [wing_point(side, hinge, angle, a * length * size, b * width * size) for a, b in corners]
        return curve([*places, places[0]], 5)

    colour = look.body if fore else mix(look.body, (235, 228, 214), 0.35)
    pen.area(outline(1.0), mix(look.second, DARK, 0.3))
    pen.area(outline(0.965), colour, opacity=0.96)
    pen.area(outline(0.9), mix(colour, (255, 248, 235), 0.1), opacity=0.6, counts=False)
    bands = 1 + int(3 * look.marks) if fore else 1
    for number in range(bands if look.pattern < 0.8 else 0):
        place = 0.82 - 0.22 * number
        ring = outline(place)[8:-8]
        pen.vein(ring, look.second, opacity=0.85, width=0.02 + 0.02 * look.pattern)
    if fore and look.pattern > 0.4:
        spot = wing_point(side, hinge, angle, 0.58 * length, -0.12 * width)
        pen.area(oval(spot, 0.045, 0.045, steps=18), mix(look.second, DARK, 0.3), opacity=0.9, counts=False)
        pen.area(oval(spot, 0.02, 0.02, steps=12), mix(look.body, (255, 255, 255), 0.5), opacity=0.9, counts=False)
    dark = mix(colour, DARK, 0.4)
    for share in (-0.55, -0.3, -0.08, 0.1):
        end = wing_point(side, hinge, angle, 0.9 * length, share * width * (1.0 if fore else 1.2))
        pen.vein([wing_point(side, hinge, angle, 0.08 * length, 0.0), end], dark, opacity=0.3, width=0.006)


def caddisfly(pen: Pen, look: Look) -> None:
    """Like a slender moth: long hairy roof-like wings and very long antennae held forward."""
    legs(pen, look, ((-0.24, -40, 0.45), (-0.18, 10, 0.55), (-0.1, 55, 0.65)), width=0.02)
    antennae(pen, look, -0.42, 0.8 + 0.4 * look.legs, spread=20, width=0.011)
    segments(pen, look, -0.12, 0.35, 0.08)
    pen.solid(oval((0, -0.22), 0.1, 0.12), mix(look.body, DARK, 0.15))
    pen.solid(oval((0, -0.375), 0.075, 0.06), look.body)
    eyes(pen, look, -0.38, 0.065, 0.03, colour=(24, 20, 20))
    opening = look.pose.uniform(64, 78)
    for side in (-1, 1):
        membrane(
            pen,
            side,
            (0.06, -0.24),
            opening,
            0.9,
            0.3,
            mix(look.body, look.veil, 0.3),
            opacity=0.82,
            veins=6,
            crossed=1,
        )


def lacewing(pen: Pen, look: Look) -> None:
    """Four large clear wings full of cross-veins, a slender body, long antennae."""
    legs(pen, look, ((-0.24, -40, 0.36), (-0.18, 10, 0.38), (-0.1, 55, 0.42)), width=0.018)
    antennae(pen, look, -0.43, 0.65 + 0.3 * look.legs, spread=26, width=0.01)
    opening = look.pose.uniform(28, 52)
    for side in (-1, 1):
        tint = mix(look.veil, look.body, 0.25)
        membrane(pen, side, (0.05, -0.12), opening + 20, 0.88, 0.3, tint, opacity=0.22, veins=5, crossed=6)
        membrane(pen, side, (0.05, -0.23), opening, 1.0, 0.36, tint, opacity=0.25, veins=6, crossed=7)
    segments(pen, look, -0.12, 0.5, 0.055, taper=0.05)
    pen.solid(oval((0, -0.22), 0.075, 0.13), look.body)
    pen.solid(oval((0, -0.4), 0.065, 0.06), look.body)
    eyes(pen, look, -0.4, 0.065, 0.035, colour=(140, 112, 40))


def barklouse(pen: Pen, look: Look) -> None:
    """A round head with a bulging face, thread-like antennae, wings as a roof."""
    legs(pen, look, ((-0.2, -35, 0.42), (-0.12, 10, 0.46), (-0.05, 52, 0.6)), width=0.022)
    antennae(pen, look, -0.42, 0.8 + 0.3 * look.legs, spread=34, width=0.011)
    segments(pen, look, -0.1, 0.4, 0.15, taper=0.15)
    pen.solid(oval((0, -0.15), 0.12, 0.11), mix(look.body, DARK, 0.2))
    pen.solid(oval((0, -0.34), 0.135, 0.12), look.body)
    pen.solid(oval((0, -0.43), 0.06, 0.05), mix(look.body, look.second, 0.35))
    eyes(pen, look, -0.33, 0.125, 0.042, colour=(24, 20, 20))
    for side in (-1, 1):
        opening = look.pose.uniform(56, 68)
        membrane(pen, side, (0.07, -0.16), opening, 0.86, 0.36, look.veil, opacity=0.48, veins=4, crossed=1)


def mayfly(pen: Pen, look: Look) -> None:
    """Upright triangular wings and long tail filaments."""
    for x in (-1, 0, 1):
        pen.line(curve([(0, 0.42), (0.05 * x, 0.7), (0.2 * x, 1.15)], 5), 0.01, look.limbs)
    legs(pen, look, ((-0.28, -70, 0.5), (-0.2, 5, 0.28), (-0.14, 45, 0.3)), width=0.02)
    segments(pen, look, -0.12, 0.46, 0.07, count=9, taper=0.25)
    pen.solid(oval((0, -0.22), 0.09, 0.14), mix(look.body, DARK, 0.1))
    pen.solid(oval((0, -0.4), 0.075, 0.055), look.body)
    eyes(pen, look, -0.41, 0.06, 0.045, colour=(110, 60, 30))
    for side in (-1, 1):
        membrane(
            pen, side, (0.05, -0.25), look.pose.uniform(12, 34), 0.75, 0.42, look.veil, opacity=0.3, veins=6, crossed=4
        )
        membrane(pen, side, (0.05, -0.12), 50, 0.25, 0.16, look.veil, opacity=0.3, veins=2)


def dragonfly(pen: Pen, look: Look) -> None:
    """Four long stiff wings, huge eyes, a stick of an abdomen."""
    legs(pen, look, ((-0.36, -50, 0.22), (-0.32, -20, 0.22), (-0.28, 20, 0.24)), width=0.014)
    for side in (-1, 1):
        membrane(
            pen, side, (0.04, -0.26), look.pose.uniform(6, 14), 0.62, 0.16, look.veil, opacity=0.22, veins=6, crossed=8
        )
        membrane(
            pen,
            side,
            (0.04, -0.33),
            look.pose.uniform(-16, -6),
            0.64,
            0.14,
            look.veil,
            opacity=0.22,
            veins=6,
            crossed=8,
        )
    segments(pen, look, -0.24, 0.5, 0.03, count=10, taper=-0.1, bands=True)
    pen.solid(oval((0, -0.32), 0.07, 0.1), look.body)
    pen.solid(oval((0, -0.45), 0.05, 0.035), look.body)
    eyes(pen, look, -0.455, 0.045, 0.035, colour=(60, 84, 60))
