"""Harmonic mean for `evaluate`: accuracy on seen and on unseen species, and both together."""

import datasets
import evaluate

from bioscan5m_hf.evaluation import metric_base
from bioscan5m_hf.evaluation.accuracy import accuracy, harmonic_mean


class SeenUnseenHarmonicMean(metric_base.NameMetric):
    """Micro and macro accuracy of seen and unseen species, and their harmonic means."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="Accuracy on seen species, on unseen species, and their harmonic mean.",
            citation="",
            inputs_description="predictions, references: names; seen: whether each specimen's species is a seen one.",
            features=datasets.Features(metric_base.ONE_NAME | {"seen": datasets.Value("bool")}),
        )

    def score(self, predictions: list, references: list, seen: list) -> dict[str, float]:
        """Score seen and unseen species apart, and take the harmonic mean."""
        parts = {}
        for part in (True, False):
            rows = [row for row, known in enumerate(seen) if known is part]
            parts[part] = accuracy([predictions[row] for row in rows], [references[row] for row in rows])
        scores = {}
        for name in ("micro", "macro"):
            known, new = (getattr(parts[part], name) for part in (True, False))
            scores |= {f"seen_{name}": known, f"unseen_{name}": new, f"harmonic_{name}": harmonic_mean(known, new)}
        return scores
