"""coremltools imported without the remarks it makes about packages that are not used here."""

from __future__ import annotations

import logging
from types import ModuleType

from runtimes.errors import MissingDependencyError

# Logger → beginnings of messages that are known and harmless; every other message is shown.
_KNOWN = {
    "coremltools": ("scikit-learn version ", "Torch version ", "Failed to load _ML"),
    "torchao": ("Failed to load ",),
    "torch.utils._pytree": ("<enum 'KernelPreference'>",),
}


class _KnownRemarks(logging.Filter):
    """Drops the records that begin as one of the known remarks does."""

    def __init__(self, beginnings: tuple[str, ...]) -> None:
        super().__init__()
        self._beginnings = beginnings

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(self._beginnings)


def import_coremltools() -> ModuleType:
    """Returns the module coremltools; a later call costs nothing.

    Raises:
        MissingDependencyError: coremltools is not installed.
    """
    for name, beginnings in _KNOWN.items():
        logger = logging.getLogger(name)
        if not any(isinstance(item, _KnownRemarks) for item in logger.filters):
            logger.addFilter(_KnownRemarks(beginnings))
    try:
        import coremltools
    except ImportError as error:
        raise MissingDependencyError("coremltools", "coreml") from error
    return coremltools
