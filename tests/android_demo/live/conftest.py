"""The app on the stand-in for Android: one storage for all processes of a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from android_demo.check.answered import drawn_lesions
from android_demo.check.phone import Command, Phone, phone_command
from android_demo.check.tools import Tools
from tests.android_demo.live.seen import OpenPhone


@pytest.fixture(scope="session")
def app(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Command:
    return phone_command(tools, tmp_path_factory.mktemp("app"))


@pytest.fixture
def phone(app: Command, tmp_path: Path) -> Iterator[OpenPhone]:
    """Opens a process of the app; the chooser offers known, suspected and unknown.png."""
    open_ones: list[Phone] = []
    shared = tmp_path / "shared"
    shared.mkdir()
    for name, answered in drawn_lesions().items():
        answered.picture.save(shared / f"{name}.png")

    def opened(**settings: Any) -> Phone:
        open_ones.append(Phone(app, tmp_path, **settings))
        return open_ones[-1]

    yield opened
    for each in open_ones:
        each.kill()
