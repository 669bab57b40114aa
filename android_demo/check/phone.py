"""The app's own classes on this machine's JVM, with a stand-in for Android around them.

The stand-in (`check/standin/`) has as much of Android as the app uses, after the framework's
documentation: screens and their life, layouts, strings, the chooser of files, permissions, a camera
that is handed its frames. LiteRT is the real library on the CPU. There are no pixels and no sound,
and where Android does otherwise than its documentation says, the stand-in does not know.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from android_demo.check.host import compile_host, litert_library
from android_demo.check.kotlin import DEMO, compile_kotlin
from android_demo.check.package import compile_app
from android_demo.check.project import read_project
from android_demo.check.tools import Tools

_STANDIN = DEMO / "check" / "standin"
_APP = DEMO / "app" / "src" / "main"
_PATIENCE = 60.0  # seconds that the app's main thread may be busy

Command = Callable[[dict[str, str]], list[str]]
"""Makes the command of a process out of the phone's settings."""


class AppError(AssertionError):
    """The app ended as it would on a phone, or a person could not do what was asked."""


@dataclass(frozen=True)
class View:
    """A view that is seen.

    Attributes:
        id: its name in the layout, or None.
        kind: its class.
        text: what it shows; None where it is no text.
        spoken: what a screen reader says when it comes to it.
        silent: whether a screen reader passes over it.
        button: whether it can be pressed; `enabled` whether it may.
        selected: whether it is the chosen one of several.
        progress: of a bar.
        padding: above and below its content, in pixels.
        turned: of the camera's preview, how far it is turned clockwise, in degrees.
        bitmaps: what it draws: width, height and opacity (0 to 255) of each.
    """

    id: str | None
    kind: str
    text: str | None
    spoken: str
    silent: bool
    button: bool
    enabled: bool
    selected: bool
    progress: int | None
    padding: tuple[int, int]
    turned: int | None
    bitmaps: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Sight:
    """What is to be seen.

    Attributes:
        screen: the activity in front; None where another app is.
        stack: all activities, the upper one last.
        asked: a permission or the kind of file that is asked for, or None.
        views: those that are visible, in the layout's order.
        said: what a screen reader said by itself since the sight before.
        camera: whether it is open, and the turn of the last picture in degrees.
        hidden_from_recents: whether the list of recent apps shows no image of the screen.
        opened: how many files of other apps were opened so far.
        threads: of the process, by name.
    """

    screen: str | None
    stack: tuple[str, ...]
    asked: str | None
    views: tuple[View, ...]
    said: tuple[str, ...]
    camera: dict[str, Any]
    hidden_from_recents: bool | None
    opened: int
    threads: tuple[str, ...]

    def sees(self, name: str) -> bool:
        """Whether a view of that id is seen."""
        return any(view.id == name for view in self.views)

    def view(self, name: str) -> View:
        """The first view of that id that is seen.

        Raises:
            AppError: none is.
        """
        for view in self.views:
            if view.id == name:
                return view
        raise AppError(f"no {name} is seen on {self.screen}")

    def text(self, name: str) -> str:
        """What the view of that id shows; empty where it is not seen."""
        return (self.view(name).text or "") if self.sees(name) else ""


class Phone:
    """One process of the app; what outlives it lies in `home`. Use it as a context.

    Args:
        command: from `phone_command`.
        home: the phone's storage; pictures and models that the chooser offers lie in home/shared.
        sdk: API level that Android tells.
        camera: "one" or "none".
        chooser: "one" or "none".
        assets: what lies in the app instead of its own model.
    """

    def __init__(
        self,
        command: Command,
        home: Path,
        *,
        sdk: int = 33,
        camera: str = "one",
        chooser: str = "one",
        assets: Path = _APP / "assets",
    ) -> None:
        (home / "shared").mkdir(parents=True, exist_ok=True)
        settings = {"home": str(home), "sdk": str(sdk), "camera": camera, "chooser": chooser}
        self._said: list[str] = []
        self._killed = False
        self._process = subprocess.Popen(
            command(settings | {"assets": str(assets)}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put("")

    def __enter__(self) -> Phone:
        return self

    def __exit__(self, *raised: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Ends the process at once, as Android does in the background.

        Raises:
            AppError: it had ended by itself.
        """
        ended = self._process.poll()
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        if ended is not None and not self._killed:
            raise AppError(f"the app had ended: {self._next(_PATIENCE)}")
        self._killed = True

    def do(self, what: str, **words: Any) -> Sight:
        """Does one thing and returns what is to be seen after it.

        Raises:
            AppError: the app ended or does not answer, or nobody could do that.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # what it said before it ended is read below
            self._process.stdin.write(json.dumps({"do": what, **words}) + "\n")
            self._process.stdin.flush()
        line = self._next(_PATIENCE)
        told = json.loads(line) if line else {"crash": "the process ended without a word"}
        if "done" not in told:
            self._killed = "crash" in told
            raise AppError(f"{what} {words}: {told.get('crash') or told['refused']}")
        self._said += told["said"]
        return _sight(told)

    def _next(self, seconds: float) -> str:
        try:
            return self._lines.get(timeout=seconds)
        except queue.Empty:
            raise AppError(f"the app's main thread did not answer for {seconds:.0f} s") from None

    def start(self, screen: str = "AboutActivity", **extras: str | int) -> Sight:
        """Starts a screen as the launcher or `am start` does."""
        self.do("start", screen=screen, extras=extras or None)
        return self.do("look")

    def press(self, name: str) -> Sight:
        """Presses the view of that id; what it started has begun when this returns."""
        self.do("press", id=name)
        return self.do("look")

    def press_back(self) -> Sight:
        """Goes back, as by the phone's own button."""
        self.do("back")
        return self.do("look")

    def choose(self, file: str | None) -> Sight:
        """Chooses a file of home/shared in the phone's chooser, or none."""
        self.do("choose", uri=None if file is None else f"content://pictures/{file}")
        return self.do("look")

    def until(self, seen: Callable[[Sight], object], seconds: float = 60.0) -> Sight:
        """Looks until something is to be seen.

        Raises:
            AppError: it did not come in time.
        """
        end = time.monotonic() + seconds
        while True:
            sight = self.do("look")
            if seen(sight):
                return sight
            if time.monotonic() > end:
                shown = [view.text for view in sight.views if view.text]
                raise AppError(f"not seen within {seconds:.0f} s; {sight.screen} shows {shown}")
            time.sleep(0.02)

    def said(self) -> list[str]:
        """What a screen reader said by itself since the last call."""
        said, self._said = self._said, []
        return said


def _sight(told: dict[str, Any]) -> Sight:
    views = []
    for view in told["views"]:
        padding, bitmaps = tuple(view.pop("padding")), tuple(map(tuple, view.pop("bitmaps")))
        views.append(View(**view, padding=padding, bitmaps=bitmaps))
    return Sight(
        told["screen"],
        tuple(told["stack"]),
        told["asked"],
        tuple(views),
        tuple(told["said"]),
        told["camera"],
        told["hidden_from_recents"],
        told["opened"],
        tuple(told["threads"]),
    )


def phone_command(tools: Tools, folder: Path) -> Command:
    """Compiles app and stand-in and returns what makes a command of settings.

    Args:
        tools: compilers and Android's framework.
        folder: an empty one, which has to stay.
    """
    host = compile_host(tools)
    app, _, resources = compile_app(tools, read_project(), folder)
    standin = compile_kotlin(tools, "standin", _STANDIN, (host.host, host.core, host.jna))
    path = os.pathsep.join(map(str, (standin, app, resources, *host.all)))
    fixed = {"litert": str(litert_library()), "resources": str(_APP / "res")}

    def command(settings: dict[str, str]) -> list[str]:
        words = [f"-Dphone.{name}={value}" for name, value in (fixed | settings).items()]
        return [
            "java",
            "-Xmx512m",
            "-XX:TieredStopAtLevel=1",
            *words,
            "-cp",
            path,
            "dermport.phone.Remote",
        ]

    return command
