"""Expected calibration error for `evaluate`: how far stated confidences are from the shares that are right."""

import datasets
import evaluate

from bioscan5m_hf.evaluation import metric_base
from bioscan5m_hf.evaluation.accuracy import expected_calibration_error


class CalibrationError(metric_base.NameMetric):
    """Expected calibration error of the stated names."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="How far stated confidences are from the shares that are right.",
            citation="",
            inputs_description="predictions, references: names; confidences: from 0 to 1; bins: intervals of equal "
            "width. Specimens whose true name is not known do not count.",
            features=datasets.Features(metric_base.ONE_NAME | {"confidences": datasets.Value("float64")}),
        )

    def score(self, predictions: list, references: list, confidences: list, bins: int = 15) -> dict[str, float]:
        """Compare how sure names were with how often they were right; rows without a true name do not count."""
        known = [row for row, name in enumerate(references) if name is not None]
        right = [predictions[row] == references[row] for row in known]
        error = expected_calibration_error([confidences[row] for row in known], right, bins)
        return {"expected_calibration_error": error, "n": len(known)}
