"""The tools that build the demo; tests that need them are skipped where they are not."""

from __future__ import annotations

import pytest

from android_demo.check.tools import Tools, obstacle, ready_tools


@pytest.fixture(scope="session")
def tools() -> Tools:
    if (reason := obstacle()) != "":
        pytest.skip(f"the Android demo cannot be built here: {reason}")
    if (found := ready_tools()) is None:
        pytest.skip("the Android demo's tools are not here; `make app-test` fetches them (90 MB)")
    return found
