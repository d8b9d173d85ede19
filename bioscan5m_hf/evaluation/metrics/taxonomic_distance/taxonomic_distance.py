"""Taxonomic distance for `evaluate`: how many ranks up a prediction and the truth meet."""

import datasets
import evaluate

from bioscan5m_hf.evaluation import metric_base
from bioscan5m_hf.evaluation.accuracy import ranks_apart


class TaxonomicDistance(metric_base.NameMetric):
    """Mean number of ranks up to where prediction and truth meet, over all specimens and over the mistakes."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="How grave mistakes are: how many ranks up prediction and truth meet.",
            citation="",
            inputs_description="predictions, references: for each specimen a mapping of rank to name, None "
            "where there is none; rank: the asked one. Specimens whose true name there is not known do not count.",
            features=datasets.Features(metric_base.BY_RANK),
        )

    def score(self, predictions: list, references: list, rank: str = "species") -> dict[str, float]:
        """Count the ranks up to where prediction and truth meet; rows without a true name do not count."""
        steps = [ranks_apart(one, other, rank) for one, other in zip(predictions, references, strict=True)]
        known = [step for step in steps if step is not None]
        if not known:
            raise ValueError(f"no specimen has a true {rank}: nothing can be counted")
        mistakes = [step for step in known if step]
        worst = sum(mistakes) / len(mistakes) if mistakes else 0.0
        return {
            "ranks_apart": sum(known) / len(known),
            "of_mistakes": worst,
            "mistakes": len(mistakes),
            "n": len(known),
        }
