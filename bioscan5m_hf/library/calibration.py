"""What was fitted for an index: how to compare, how sure agreement makes a name, and what looks new."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..data.manifest import write_text
from ..errors import Bioscan5mError
from ..evaluation.gap import Gap
from .agreement import Confidence
from .index import Index
from .novelty import Novelty


FILE = "calibration.json"
FORMAT = 2


@dataclass(frozen=True)
class KindCalibration:
    """What was fitted for one kind of query.

    Args:
        temperature: of the votes.
        ranks: rank → confidence.
        errors: rank → split → expected calibration error there, of confidences that were fitted on other species (or
            BINs, where there is no species), with the temperature and the weights of all; `all` for all splits.
        novelty: None where too few specimens were of known species.
    """

    temperature: float
    ranks: Mapping[str, Confidence] = field(default_factory=dict)
    errors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    novelty: Novelty | None = None


@dataclass(frozen=True)
class Calibration:
    """Fitted for an index.

    Args:
        index: the `id` of its content.
        gap: how specimens are compared with its keys.
        kinds: what a query has → what was fitted.
        origin: model, splits and package that it was fitted with.
        accuracies: kind → what `fit_gap` tried → accuracy.
    """

    index: str
    gap: Gap
    kinds: Mapping[str, KindCalibration]
    origin: Mapping[str, Any] = field(default_factory=dict)
    accuracies: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def save(self, path: str | Path) -> None:
        """Write the JSON file, beside and renamed."""
        state = {
            "format": FORMAT,
            "index": self.index,
            "origin": dict(self.origin),
            "kinds": {kind: asdict(each) for kind, each in self.kinds.items()},
            "accuracies": self.accuracies,
            "gap": self.gap.to_dict(),
        }
        write_text(Path(path), json.dumps(state, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Read the JSON file.

        Raises:
            Bioscan5mError: it is absent, damaged, or of another format.
        """
        try:
            read = json.loads(Path(path).read_text(encoding="utf-8"))
            if read["format"] != FORMAT:
                raise ValueError("another format")
            kinds = {kind: _kind(given) for kind, given in read["kinds"].items()}
            return cls(read["index"], Gap.from_dict(read["gap"]), kinds, read["origin"], read["accuracies"])
        except FileNotFoundError as error:
            raise Bioscan5mError(f"there is no file {path}: `bioscan5m calibrate` writes one") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Bioscan5mError(f"{path} is no calibration ({error}): fit it again") from error

    def check(self, index: Index) -> None:
        """Refuse another index.

        Raises:
            Bioscan5mError: it was fitted for other keys.
        """
        if self.index != index.about["id"]:
            raise Bioscan5mError(
                f"the calibration was fitted for other keys ({self.origin.get('keys')}, "
                f"{self.origin.get('key_split')}) than those in {index.folder}: fit it again with "
                "`bioscan5m calibrate`"
            )


def own_calibration(index: Index) -> Calibration | None:
    """Give what was fitted for an index and lies in its folder; None where there is nothing.

    Raises:
        Bioscan5mError: it is damaged, or belongs to other keys.
    """
    path = index.folder / FILE
    if not path.is_file():
        return None
    found = Calibration.load(path)
    found.check(index)
    return found


def _kind(given: Mapping[str, Any]) -> KindCalibration:
    novelty = given["novelty"]
    return KindCalibration(
        float(given["temperature"]),
        {rank: Confidence.from_dict(one) for rank, one in given["ranks"].items()},
        given["errors"],
        None if novelty is None else Novelty(**novelty),
    )
