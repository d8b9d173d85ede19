"""Clustering agreement for `evaluate`: adjusted mutual information and its relatives."""

import datasets
import evaluate

from bioscan5m_hf.evaluation import metric_base
from bioscan5m_hf.evaluation.agreement import agreement


class ClusteringAgreement(metric_base.NameMetric):
    """Adjusted mutual information (arithmetic and min), homogeneity, completeness, V-measure, adjusted Rand index."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="How well clusters agree with names.",
            citation="",
            inputs_description="predictions: number of each specimen's cluster; references: its true name, None where "
            "not known; missing: 'leave_out' (specimens without a name) or 'class' (count them as one).",
            features=datasets.Features({"predictions": datasets.Value("int64"), "references": metric_base.NAME}),
        )

    def score(self, predictions: list, references: list, missing: str = "leave_out") -> dict[str, float]:
        """Compare clusters with names; rows without a name are left out, or one class (`missing`)."""
        return vars(agreement(references, predictions, missing=missing))
