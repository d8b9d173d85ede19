"""What an encoder is, and whether what it gives can be used."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..errors import EncoderError


Vectors = npt.NDArray[np.float32]

PROBE = 8
"""Inputs that are embedded twice before all others, to see whether an encoder answers alike."""

UNDECLARED = ("not declared",)
"""What a model was pretrained on, where nothing says so."""

UNLIKE = 0.01
"""Share of a vector's length by which two answers to one input may differ; rounding to bfloat16 costs 0.004."""


@runtime_checkable
class Encoder(Protocol):
    """Anything that turns barcodes into vectors.

    It may also have `name`, `revision` and `pretrained_on` (splits), which records tell; and `embed_images` or
    `embed_texts`, which take a list of PIL images or of texts.

    Examples:
        >>> class Lengths:
        ...     def embed(self, barcodes):
        ...         return np.array([[len(barcode), 1.0] for barcode in barcodes])
        >>> isinstance(Lengths(), Encoder)
        True
    """

    def embed(self, barcodes: list[str], /) -> Any:  # noqa: ANN401
        """Give a vector for each barcode: shape (n, width), floating point, in the order of the barcodes."""


METHODS = {"dna": "embed", "image": "embed_images", "text": "embed_texts"}
"""Modality → the method of an encoder that does it."""

PAIRS = ("image+dna", "image+text", "dna+text")
"""Two modalities of a specimen."""


def able(model: object) -> tuple[str, ...]:
    """Tell which modalities a model can embed, and the first pair of them that it can compare.

    Examples:
        >>> able(object())
        ()
    """
    found = [modality for modality, method in METHODS.items() if callable(getattr(model, method, None))]
    pair = next((pair for pair in PAIRS if set(pair.split("+")) <= set(found)), None)
    return tuple(found) if pair is None else (*found, pair)


def checked(given: object, count: int, where: Callable[[int], str] = "input {}".format) -> Vectors:
    """Make what an encoder gave an array, and make sure that it can be used.

    Args:
        given: array, tensor, or list of vectors.
        count: of the inputs.
        where: place of an input → what it is called in messages.

    Returns:
        float32, shape (count, width).

    Raises:
        EncoderError: not one vector of real numbers for each input, all of one width and finite.

    Examples:
        >>> checked([[1.0, 2.0]], 1).dtype
        dtype('float32')
    """
    try:
        array = np.asarray(_on_cpu(given))
    except (TypeError, ValueError) as error:
        raise EncoderError(f"the encoder gave no array of vectors ({error}): give shape ({count}, width)") from error
    if array.ndim != 2 or len(array) != count or not array.shape[1]:
        raise EncoderError(f"the encoder gave shape {array.shape} for {count} inputs: give shape ({count}, width)")
    if array.dtype.kind != "f":
        raise EncoderError(f"the encoder gave numbers of type {array.dtype}: give float16, float32 or float64")
    with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, and is found below
        vectors = array.astype(np.float32)
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        place = int((~finite).argmax())
        raise EncoderError(
            f"the encoder gave {vectors[place][~np.isfinite(vectors[place])][0]} in the vector of {where(place)} (and "
            f"of {int((~finite).sum()) - 1} others): every number must be finite"
        )
    return vectors


def probe(embed: Callable[[list[Any]], object], inputs: Sequence[Any], where: Callable[[int], str]) -> Vectors:
    """Embed a few inputs several times, alone and among others.

    Args:
        embed: method of an encoder.
        inputs: distinct ones, the first `PROBE` of which are taken.
        where: place of an input → what it is called in messages.

    Returns:
        Their vectors.

    Raises:
        EncoderError: what cannot be used, or other vectors for the same input.
    """
    some = list(inputs[:PROBE])
    first = checked(embed(some), len(some), where)
    places = [*range(len(some) - 1, -1, -1), 0]  # another order, and another batch
    again = checked(embed([some[place] for place in places]), len(places), lambda place: where(places[place]))
    if again.shape[1] != first.shape[1]:
        raise EncoderError(f"the encoder gave vectors of {first.shape[1]} and then of {again.shape[1]} numbers")
    unlike = np.linalg.norm(again - first[places], axis=1) / np.maximum(np.linalg.norm(first[places], axis=1), 1e-12)
    if unlike.max() > UNLIKE:
        raise EncoderError(
            f"the encoder gave different vectors for the same input, {where(places[int(unlike.argmax())])}: they "
            f"differ by {100 * unlike.max():.3g} % of their length; switch dropout off (`model.eval()`), and let no "
            "input change what others of its batch get"
        )
    return first


def identity(model: object, answers: Vectors) -> dict[str, str]:
    """Say which model it is: its name and revision; one that has no revision is known by its answers.

    Args:
        model: an encoder.
        answers: its vectors of some inputs.

    Examples:
        >>> identity(object(), np.ones((1, 2), np.float32))["name"]
        'object'
    """
    rounded = np.array([f"{number:.3e}" for number in answers.ravel()])
    digest = hashlib.sha256("".join(rounded).encode()).hexdigest()[:16]
    name = getattr(model, "name", None) or type(model).__name__
    return {"name": str(name), "revision": str(getattr(model, "revision", None) or f"answers:{digest}")}


def settings_of(model: object) -> Mapping[str, Any]:
    """Give what an encoder says of how it embeds: its `settings`, a mapping; empty where it says nothing."""
    given = getattr(model, "settings", None)
    return given if isinstance(given, Mapping) else {}


def pretrained_on(model: object) -> tuple[str, ...]:
    """Give what a model says that it was pretrained on; one that says nothing may have seen anything.

    Examples:
        >>> pretrained_on(object())
        ('not declared',)
    """
    given = getattr(model, "pretrained_on", None)
    return UNDECLARED if given is None else (given,) if isinstance(given, str) else tuple(map(str, given))


def _on_cpu(given: Any) -> Any:  # noqa: ANN401
    """Give a tensor's numbers as those of an array; bfloat16, which NumPy lacks, as float32."""
    if not hasattr(given, "detach"):
        return given
    tensor = given.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()
