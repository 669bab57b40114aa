"""Known chatter of the converters, silenced message by message; anything else is still shown."""

from __future__ import annotations

import logging
import os
import warnings
from contextlib import AbstractContextManager

from runtimes.native_stderr import without_remarks

# Beginnings of lines that reach standard error without passing through Python's logging.
_LINES = (
    "WARNING: All log messages before absl::InitializeLog()",
    "I0000 ",
    "INFO: Created TensorFlow Lite XNNPACK delegate",
    "\rApplying Transformations to tensors:",
    "Applying Transformations to tensors:",
)
_SETTINGS = {"LITERT_TORCH_SHOW_PROGRESS": "n", "TQDM_DISABLE": "1"}
# Logger → beginnings of its messages.
_MESSAGES = {
    "torchao": ("Failed to load ",),
    "torchao.kernel.intmm": ("Warning: Detected no triton",),
    "torch.utils._pytree": ("<enum 'KernelPreference'>",),
    "root": ("Please consider to run pre-processing", "Please consider pre-processing"),
    "coremltools": ("Tuple detected at graph output",),
}
# Words in the middle of a warning, and its category.
_WARNINGS = (
    (r"isinstance\(treespec, LeafSpec\)", FutureWarning),
    ("torch.quantize_per_tensor, torch.quantize_per_channel", UserWarning),
    ("Enabling `experimental_preserve_all_tensors`", UserWarning),
)


class _Known(logging.Filter):
    def __init__(self, beginnings: tuple[str, ...]) -> None:
        super().__init__()
        self._beginnings = beginnings

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(self._beginnings)


def quiet_converters() -> None:
    """Hides what the converters are known to say on every run; call it before they are imported."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    for name, beginnings in _MESSAGES.items():
        logging.getLogger(None if name == "root" else name).addFilter(_Known(beginnings))
    for message, category in _WARNINGS:
        warnings.filterwarnings("ignore", message=f".*{message}", category=category)


def native_chatter() -> AbstractContextManager[None]:
    """Leaves known lines out of what the block writes to standard error past Python."""
    return without_remarks(*_LINES)
