"""Barcodes that look like insect COI: evolved by codons along a taxonomy, varied within species, read with flaws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa


LENGTH = 658
"""Bases of the standard animal barcode (Folmer et al. 1994; Hebert et al. 2003)."""
FRAME = 1
"""Index of the first whole codon in the barcode; so the third codon positions are 0, 3, 6, …"""
HAPLOTYPES = 4096
"""Distinct haplotypes that a species can have: at most two of 90 marker sites changed, 1 + 90 + 90·89/2."""

_AMINO = "FFLLSSSSYY**CCWWLLLLPPPPHHQQRRRRIIMMTTTTNNKKSSSSVVVVAAAADDEEGGGG"
"""Genetic code 5 (invertebrate mitochondrial, NCBI transl_table=5), codons in the order TCAG."""
_ORDER = "TCAG"
_PROTEIN = (
    "TLYFIFGAWAGMVGTSLSLLIRAELGQPGSLIGDDQIYNVIVTAHAFIMIFFMVMPIMIGGFGNWLVPLMLGAPDMAFPRMNNMSFWLLPPS"
    "LTLLLSSSIVENGAGTGWTVYPPLSSNIAHSGASVDLAIFSLHLAGISSILGAVNFITTVINMRSPGMKMDRMPLFVWAVLITAVLLLLSLP"
    "VLAGAITMLLTDRNLNTSFFDPAGGGDPILYQHLF"
)
"""A common form of the protein in insects: the start of the evolution."""
_THIRD = {"T": 0.44, "C": 0.08, "A": 0.45, "G": 0.03}
"""Bases at the third codon position, counted on public insect barcodes."""
_STABLE = slice(180, 480)
"""No read loses this part, so what tells haplotypes apart is always read."""
_TAIL = 842
"""Bases after the barcode proper, in the rare long reads (up to 1,500)."""
_MARKERS = np.arange(_STABLE.start, _STABLE.stop, 3)[:90]
_SINGLES = np.array([(-1, -1), *((i, -1) for i in range(90)), *((i, j) for i in range(90) for j in range(i))])
_BETWEEN = np.concatenate([np.arange(60, _STABLE.start, 3), np.arange(_STABLE.stop, 600, 3)])
_ENDS, _LINEAGES = (21, 45, 612, 636), ((1, 3), (2, 3), (1, 2), (3,))
_TRANSITION = np.zeros(256, np.uint8)
_TRANSITION[list(b"TCAGN")] = list(b"CTGAN")

Sequences = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.integer]


def translate(barcode: str) -> str:
    """Translate the whole codons of a full-length barcode under genetic code 5; a stop is `*`, an unclear codon `X`.

    Examples:
        >>> translate("AACATTATATTTTATTTTTGGA")
        'TLYFIFG'
    """
    codons = (barcode[start : start + 3] for start in range(FRAME, len(barcode) - 2, 3))
    table = {a + b + c: _AMINO[16 * i + 4 * j + k] for i, a in enumerate(_ORDER) for j, b in enumerate(_ORDER)
             for k, c in enumerate(_ORDER)}  # fmt: skip
    return "".join(table.get(codon, "X") for codon in codons)


def ancestor(chance: np.random.Generator, *, protein: str = _PROTEIN) -> Sequences:
    """Draw a gene for a protein, with the codon usage of insect mitochondria.

    Returns:
        ASCII codes, shape (1 + 3 * len(protein),): the last base of a codon, then whole codons.

    Examples:
        >>> sequence = ancestor(np.random.default_rng(0))
        >>> sequence.size, "*" in translate(sequence.tobytes().decode())
        (658, False)
    """
    chosen = ["A"]
    for amino in protein:
        codons = [index for index, letter in enumerate(_AMINO) if letter == amino]
        weights = np.array([_THIRD[_ORDER[index % 4]] * (2 if index < 16 else 1) for index in codons])
        index = codons[int(chance.choice(len(codons), p=weights / weights.sum()))]
        chosen.append(_ORDER[index // 16] + _ORDER[index // 4 % 4] + _ORDER[index % 4])
    return np.frombuffer("".join(chosen).encode(), np.uint8).copy()


class Evolution:
    """Substitution along the branches of a tree, with purifying selection on the protein.

    A change is proposed anywhere; it stays if the amino acid stays, or if the codon tolerates a new one (most do
    not). Hence the codon positions change at different rates, and no stop codon arises.

    Args:
        chance: random number generator.

    Examples:
        >>> chance = np.random.default_rng(0)
        >>> parent = ancestor(chance)[None]
        >>> int((Evolution(chance).branch(parent, np.array([30])) != parent).sum())
        30
    """

    def __init__(self, chance: np.random.Generator) -> None:
        self.chance = chance
        tolerance = chance.beta(0.25, 2.2, LENGTH // 3 + 1)
        self._tolerance = np.where(chance.random(tolerance.size) < 0.45, 0.0, tolerance)
        self._amino = np.frombuffer(_AMINO.encode(), np.uint8)
        self._code = np.zeros(256, np.int64)
        self._code[list(_ORDER.encode())] = range(4)
        self._letters = np.frombuffer(_ORDER.encode(), np.uint8)

    def branch(self, parents: Sequences, changes: Indices, *, freedom: float = 1.0) -> Sequences:
        """Evolve one child from each parent.

        Args:
            parents: shape (n, 658).
            changes: number of bases in which each child differs from its parent, shape (n,).
            freedom: factor on the tolerance for new amino acids; higher for older branches.
        """
        children = parents.copy()
        for start in range(0, len(children), 20_000):
            block = slice(start, start + 20_000)
            self._change(children[block], np.asarray(changes)[block], freedom)
        return children

    def _change(self, children: Sequences, changes: Indices, freedom: float) -> None:
        touched = np.zeros(children.shape, bool)
        left = changes.astype(np.int64)
        for _ in range(4000):
            rows = np.flatnonzero(left)
            if not rows.size:
                return
            site = self.chance.integers(0, LENGTH, rows.size)
            old = self._code[children[rows, site]]
            new = self._proposal(old)
            ok = self._accepted(children, rows, site, new, freedom) & ~touched[rows, site] & (new != old)
            rows, site = rows[ok], site[ok]
            children[rows, site] = self._letters[new[ok]]
            touched[rows, site] = True
            left[rows] -= 1

    def _proposal(self, old: Indices) -> Indices:
        drawn = self.chance.choice(4, old.size, p=[0.42, 0.11, 0.42, 0.05])
        transition = old ^ 1
        keep = self.chance.random(old.size) < np.where((old == 0) | (old == 2), 0.1, 0.85)
        return np.where(keep, transition, drawn)

    def _accepted(
        self, children: Sequences, rows: Indices, site: Indices, new: Indices, freedom: float
    ) -> npt.NDArray[np.bool_]:
        codon, place = np.divmod(site - FRAME, 3)
        first = np.maximum(codon, 0) * 3 + FRAME
        bases = self._code[children[rows[:, None], first[:, None] + np.arange(3)]]
        before = self._amino[bases @ (16, 4, 1)]
        bases[np.arange(rows.size), place] = new
        after = self._amino[bases @ (16, 4, 1)]
        tolerated = self.chance.random(rows.size) < self._tolerance[codon] * freedom
        kept: npt.NDArray[np.bool_] = (codon < 0) | (before == after) | (tolerated & (after != ord("*")))
        return kept


def vary(sequences: Sequences, haplotypes: Indices, species: Indices) -> None:
    """Turn each sequence of a species into one of its haplotypes, in place; all changes are silent transitions.

    A species has four lineages, which differ at the ends of the barcode; within them one or two marker sites and
    one more tell haplotypes apart. So two haplotypes differ in 1 to 10 bases, in less than 2 % of any read; equal
    numbers give equal sequences.

    Args:
        sequences: shape (n, 658); row i belongs to species[i].
        haplotypes: number of the haplotype within its species, below `HAPLOTYPES`.
        species: number of the species.

    Examples:
        >>> pair = np.repeat(ancestor(np.random.default_rng(0))[None], 2, axis=0)
        >>> vary(pair, np.array([4, 7]), np.array([9, 9]))
        >>> int((pair[0] != pair[1]).sum())
        6
    """
    number, own = haplotypes.astype(np.int64), species.astype(np.int64)
    for sites in _SINGLES[number].T:
        rows = np.flatnonzero(sites >= 0)
        _transit(sequences, rows, _MARKERS[(sites[rows] + own[rows]) % _MARKERS.size])
    rows = np.flatnonzero(number % 5 != 0)
    _transit(sequences, rows, _BETWEEN[(number * 7919 + own * 104_729)[rows] % _BETWEEN.size])
    for site, lineages in zip(_ENDS, _LINEAGES, strict=True):
        rows = np.flatnonzero(np.isin((number + own) % 4, lineages))
        _transit(sequences, rows, site)


def _transit(sequences: Sequences, rows: Indices, sites: Indices | int) -> None:
    sequences[rows, sites] = _TRANSITION[sequences[rows, sites]]


def read(
    sequences: Sequences,
    *,
    tails: Sequences,
    tail: Indices,
    short: npt.NDArray[np.float64],
    chance: np.random.Generator,
) -> pa.Array:
    """Sequence the specimens: most reads are whole, some have ragged ends or N runs, some are short, some long.

    Args:
        sequences: shape (n, 658); changed in place.
        tails: what may follow the barcode in the gene, shape (m, 842).
        tail: which of the tails each specimen has, shape (n,).
        short: each specimen's inclination to short reads, around 1.
        chance: random number generator.

    Returns:
        Strings of 300 to 1,500 bases.
    """
    many = len(sequences)
    kind, left, right = chance.random((3, many))
    ragged, brief = kind < 0.16 * short, kind < 0.035 * short
    start = np.where(brief, left * (_STABLE.start + 1), np.where(ragged, left**3 * 90, 0)).astype(np.int64)
    room = LENGTH - _STABLE.stop
    stop = LENGTH - np.where(brief, right * (room + 1), np.where(ragged, right**2 * 40, 0)).astype(np.int64)
    _add_runs_of_n(sequences, start, stop, chance)
    inside = np.arange(LENGTH)
    kept = (inside >= start[:, None]) & (inside < stop[:, None])
    reads = _strings(sequences[kept], stop - start)
    long = np.flatnonzero(kind > 0.985)
    extra = 1 + ((chance.random(long.size) ** 3) * _TAIL).astype(np.int64)
    longer = [
        sequences[i].tobytes() + tails[tail[i], :n].tobytes()
        for i, n in zip(long, np.minimum(extra, _TAIL), strict=True)
    ]
    order = np.arange(many)
    order[long] = many + np.arange(long.size)
    return pa.concat_arrays([reads, pa.array(longer, pa.binary()).cast(pa.string())]).take(pa.array(order))


def _add_runs_of_n(sequences: Sequences, start: Indices, stop: Indices, chance: np.random.Generator) -> None:
    many = len(sequences)
    for row in np.flatnonzero(chance.random(many) < 0.06):
        length, kind = 1 + int(chance.geometric(0.2)), chance.random()
        if kind < 0.3:
            sequences[row, start[row] : min(start[row] + length, _STABLE.start)] = ord("N")
        elif kind < 0.6:
            sequences[row, max(stop[row] - length, _STABLE.stop) : stop[row]] = ord("N")
        else:
            first = int(chance.integers(20, 150)) + (470 if chance.random() < 0.5 else 0)
            sequences[row, first : first + min(length, 20)] = ord("N")


def _strings(letters: Sequences, lengths: Indices) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.StringArray.from_buffers(len(lengths), pa.py_buffer(offsets), pa.py_buffer(letters))
