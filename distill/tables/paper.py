"""The paper's own figures (Wang et al. 2023, Table 2: ResNet-50 to MobileNetV2), to set beside."""

from __future__ import annotations

METRICS = ("accuracy", "balanced_accuracy", "mean_average_precision", "macro_auc")

# Method to accuracy, balanced accuracy, mean average precision and macro AUC, as shares of 1.
TABLE_2: dict[str, tuple[float | None, ...]] = {
    "teacher": (0.820, None, None, None),
    "no_kd": (0.754, 0.767, 0.625, 0.959),
    "blkd": (0.838, 0.824, 0.751, 0.976),
    "sskd": (0.840, 0.840, 0.759, 0.978),
    "ssd_kd": (0.846, 0.843, 0.796, 0.977),
}


def paper_figures(method: str) -> dict[str, float]:
    """Returns the figures that the paper gives for a method, by our names."""
    values = TABLE_2.get(method, ())
    return {name: value for name, value in zip(METRICS, values, strict=False) if value is not None}
