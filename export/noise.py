"""Known chatter of the converters, silenced message by message; anything else is still shown."""

from __future__ import annotations

import logging
import os
import warnings

from runtimes.native_stderr import without_remarks

# Beginnings of lines that C++ libraries write to standard error.
native_chatter = without_remarks(
    "WARNING: All log messages before absl::InitializeLog()",
    "I0000 ",
    "INFO: Created TensorFlow Lite XNNPACK delegate",
)
_SETTINGS = {
    "LITERT_TORCH_SHOW_PROGRESS": "n",
    "TQDM_DISABLE": "1",
    "TF_CPP_MIN_LOG_LEVEL": "1",
}
# Logger → beginnings of its messages.
_MESSAGES = {
    "torchao": ("Failed to load ",),
    "torch.utils._pytree": ("<enum 'KernelPreference'>",),
    "coremltools": ("Tuple detected at graph output",),
    "root": ("Please consider to run pre-processing before quantization",),
}
_WARNINGS = (("isinstance(treespec, LeafSpec)", FutureWarning),)


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
        warnings.filterwarnings("ignore", message=f".*{message}.*", category=category)
