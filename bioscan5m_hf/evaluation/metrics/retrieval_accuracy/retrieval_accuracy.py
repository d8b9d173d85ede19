"""Retrieval accuracy for `evaluate`: how often the true name is among the names of the nearest keys."""

import datasets
import evaluate

from bioscan5m_hf.evaluation import metric_base
from bioscan5m_hf.evaluation.accuracy import top_accuracy


class RetrievalAccuracy(metric_base.NameMetric):
    """Micro and macro accuracy among the best 1, 3 and 5 candidates, or as many as are asked for."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="How often the true name is among the names of the nearest keys.",
            citation="",
            inputs_description="predictions: for each query the names of its nearest keys, best first; references: "
            "the true names, None where not known; tops: how many candidates are looked at.",
            features=datasets.Features(
                {"predictions": datasets.List(metric_base.NAME), "references": metric_base.NAME}
            ),
        )

    def score(self, predictions: list, references: list, tops: tuple[int, ...] = (1, 3, 5)) -> dict[str, float]:
        """Look for the true name among the first names of each query; rows without a true name do not count."""
        found = top_accuracy(predictions, references, tops)
        scores = {f"top{top}_{name}": getattr(one, name) for top, one in found.items() for name in ("micro", "macro")}
        one = next(iter(found.values()))
        return scores | {"n": one.n, "classes": one.classes}
