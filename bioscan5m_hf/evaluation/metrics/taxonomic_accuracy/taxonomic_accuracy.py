"""Taxonomic accuracy for `evaluate`: how often names are right at each rank, by specimen and by class."""

import datasets
import evaluate

from bioscan5m_hf.evaluation import metric_base
from bioscan5m_hf.evaluation.accuracy import accuracy, taxonomic_accuracy


class TaxonomicAccuracy(metric_base.NameMetric):
    """Micro and macro accuracy, and how many specimens and classes they are of."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="How often names are right: by specimen (micro) and averaged over the true classes (macro).",
            citation="",
            inputs_description="predictions, references: names, or for each specimen a mapping of rank to name; None "
            "where there is none.",
            features=[datasets.Features(metric_base.BY_RANK), datasets.Features(metric_base.ONE_NAME)],
        )

    def score(self, predictions: list, references: list) -> dict[str, float]:
        """Compare names, or mappings of ranks to names; rows without a true name do not count."""
        if not isinstance(references[0], dict):
            return vars(accuracy(predictions, references))
        found = taxonomic_accuracy(predictions, references)
        return {f"{rank}_{name}": value for rank, one in found.items() for name, value in vars(one).items()}
