"""Parts that many body plans share: legs, antennae, wings, segments, eyes, spots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from .looks import Look
from .pen import Colour, Pen, Point, curve, mix, oval


DARK = (24, 16, 12)
Leg = tuple[float, float, float]


def legs(
    pen: Pen,
    look: Look,
    pairs: Sequence[Leg],
    *,
    start: float = 0.06,
    width: float = 0.028,
    colour: Colour | None = None,
) -> None:
    """Draw pairs of legs, each with its own bend.

    Args:
        pen: draws.
        look: gives the colour and the chance.
        pairs: for each pair where it is attached (y), its direction in degrees (0 sideways, 90 to the tail), length.
        start: distance of the attachment from the middle line.
        width: width of the femur.
        colour: other colour than the limbs'.
    """
    for y, degrees, length in pairs:
        for side in (-1, 1):
            angle = math.radians(degrees + look.pose.gauss(0, 9))
            bend = math.radians(look.pose.uniform(25, 60)) * (1 if degrees > 5 else -1)
            reach = length * look.pose.uniform(0.86, 1.04)
            joints: list[Point] = [(side * start, y)]
            for share, turn in ((0.4, -0.55), (0.36, 0.6), (0.16, 0.95), (0.1, 0.7)):
                x, along = joints[-1]
                heading = angle + bend * turn
                joints.append(
                    (x + side * math.cos(heading) * reach * share, along + math.sin(heading) * reach * share)
                )
            pen.limb(joints, width, colour or look.limbs)


def antennae(
    pen: Pen, look: Look, y: float, length: float, *, spread: float = 30, width: float = 0.012, club: float = 0.0,
    feathered: float = 0.0, elbow: bool = False, start: float = 0.03,
) -> None:  # fmt: skip
    """Draw two antennae.

    Args:
        pen: draws.
        look: gives the colour and the chance.
        y: where they are attached.
        length: their length.
        spread: degrees between each and the middle line.
        width: their width.
        club: breadth of a thick end.
        feathered: length of side branches.
        elbow: bent after the first third, as in wasps and weevils.
        start: distance of the attachment from the middle line.
    """
    for side in (-1, 1):
        angle = math.radians(spread + look.pose.gauss(0, 8))
        points: list[Point] = [(side * start, y)]
        heading = angle * (0.5 if elbow else 0.7)
        sweep = look.pose.uniform(0.05, 0.22)
        for number in range(6):
            if elbow and number == 2:
                heading += math.radians(55)
            x, along = points[-1]
            points.append((x + side * math.sin(heading) * length / 6, along - math.cos(heading) * length / 6))
            heading += sweep
        smooth = points if elbow else curve(points, 4)
        if feathered:
            for x, along in smooth[3::2]:
                pen.line([(x - 0.5 * feathered, along - 0.2 * feathered), (x, along)], width * 0.4, look.limbs)
                pen.line([(x + 0.5 * feathered, along - 0.2 * feathered), (x, along)], width * 0.4, look.limbs)
        pen.line(smooth, width, look.limbs)
        if club:
            pen.solid(oval(smooth[-1], club, club * 1.7, turn=side * heading, steps=16), look.limbs)


def wing_point(side: int, hinge: Point, angle: float, along: float, ahead: float) -> Point:
    """Give a point of a wing: so far along it from the hinge, so far ahead of its axis; `angle` as for legs."""
    return (
        side * (hinge[0] + math.cos(angle) * along + math.sin(angle) * ahead),
        hinge[1] + math.sin(angle) * along - math.cos(angle) * ahead,
    )


def membrane(
    pen: Pen, side: int, hinge: Point, degrees: float, length: float, width: float, colour: Colour, *,
    opacity: float = 0.35, veins: int = 4, crossed: int = 0, blunt: float = 0.75,
) -> None:  # fmt: skip
    """Draw a translucent wing with veins.

    Args:
        pen: draws.
        side: -1 or 1.
        hinge: where it is attached, on the right side.
        degrees: direction, 0 sideways, 90 to the tail.
        length: its length.
        width: its breadth.
        colour: its tint.
        opacity: of the membrane.
        veins: number of long veins.
        crossed: number of cross-veins between two of them.
        blunt: below 1 the broadest place moves outwards.
    """
    angle = math.radians(degrees)
    steps = [number / 16 for number in range(17)]

    def edge(t: float, front: bool) -> Point:
        ahead = (
            0.3 * math.sin(math.pi * t**0.6) ** 0.6 if front else -0.7 * math.sin(math.pi * min(1, t ** (1 / blunt)))
        )
        return wing_point(side, hinge, angle, t * length, ahead * width)

    outline = [edge(t, True) for t in steps] + [edge(t, False) for t in reversed(steps)]
    pen.area(outline, mix(colour, (255, 255, 255), 0.25), opacity=opacity)
    dark = mix(colour, DARK, 0.45)
    pen.vein([*outline, outline[0]], dark, opacity=0.55, width=0.006)
    pen.vein(outline[:15], dark, opacity=0.85, width=0.014)
    rays = []
    for number in range(veins):
        share = (number + 0.6) / (veins + 0.2)
        ray = [
            _between(edge(t, True), edge(t, False), share * min(1.0, 0.35 + t)) for t in (0.02, 0.3, 0.55, 0.8, 0.95)
        ]
        rays.append(curve(ray, 3))
        pen.vein(rays[-1], dark, opacity=0.6, width=0.005)
    for one, other in pairwise(rays):
        for number in range(crossed):
            place = 3 + number * (len(one) - 4) // max(1, crossed)
            pen.vein([one[place], other[place]], dark, opacity=0.5, width=0.004)


def _between(one: Point, other: Point, share: float) -> Point:
    return one[0] + (other[0] - one[0]) * share, one[1] + (other[1] - one[1]) * share


def segments(
    pen: Pen, look: Look, start: float, stop: float, breadth: float, *, count: int = 7, taper: float = 0.25,
    bands: bool | None = None, power: float = 2.3,
) -> None:  # fmt: skip
    """Draw an abdomen with its segments, banded in the species' second colour or with fine joints only."""
    middle, half = (start + stop) / 2, (stop - start) / 2
    pen.solid(oval((0, middle), breadth, half, taper=taper, power=power), look.body)
    banded = look.pattern < 0.45 if bands is None else bands
    for number in range(1, count):
        y = start + (stop - start) * number / count
        place = (y - middle) / half
        wide = breadth * (1 - abs(place) ** power) ** (1 / power) * (1 - taper * place) * 0.95
        bow = 0.018
        arc = [(-wide, y - bow), (-wide * 0.5, y), (0, y + bow * 0.4), (wide * 0.5, y), (wide, y - bow)]
        if banded:
            thick = (stop - start) / count * (0.2 + 0.35 * look.marks)
            pen.area(
                [*arc, *((x * 0.97, along + thick) for x, along in reversed(arc))],
                look.second,
                opacity=0.85,
                counts=False,
            )
        else:
            pen.vein(arc, mix(look.body, DARK, 0.6), opacity=0.55, width=0.008)


def eyes(
    pen: Pen, look: Look, y: float, apart: float, size: float, *, colour: Colour = (96, 30, 24), tall: float = 1.25
) -> None:
    """Draw two compound eyes."""
    for side in (-1, 1):
        pen.solid(oval((side * apart, y), size, size * tall, turn=side * 0.25, steps=20), colour, gloss=0.4)


def spots(pen: Pen, look: Look, places: Sequence[Point], size: float) -> None:
    """Draw spots in the second colour on both sides."""
    for x, y in places:
        for side in (-1, 1):
            pen.area(oval((side * x, y), size, size * 1.15, steps=18), look.second, opacity=0.9, counts=False)
