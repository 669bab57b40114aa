"""Pictures of the demo's screens, from its own layout files and a real answer of the shipped model.

They are drawn by a small program that knows the rules these layouts use, not by Android: fonts,
shadows and ripples are others on a phone. The lesion is drawn by code, and what is shown for it is
what the shipped .tflite answers; times and benchmark figures are placeholders in words.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from android_demo.check.answered import Answered, drawn_lesions
from android_demo.check.drawing import SCALE, Box, Painter, Screen
from android_demo.check.faults import fault_text
from android_demo.check.kotlin import DEMO
from android_demo.check.model import shipped
from android_demo.check.widgets import Resources, Widget
from runtimes.contract import Contract
from runtimes.contract_decision import Alert
from runtimes.decision import UNKNOWN

WIDTH, HEIGHT = 360, 740  # dp of a usual phone
SCREENS = DEMO / "screens"
_COLORS = 128
_RING = 0.8  # GuideView.SHARE
_STRENGTH = 0.6  # the slider's position in the layout
_PADDING = 14 * SCALE  # around the texts of the camera's screen
_LARGE = 1.6  # how much larger text is with the phone's setting for it
_LARGEST = 2.0  # and at the most, since Android 14


def stored(picture: Image.Image) -> Image.Image:
    """As the repository keeps it: few colours make small files."""
    return picture.quantize(_COLORS)


def screens() -> Iterator[tuple[str, Image.Image]]:
    """Yields the name and picture of every screen."""
    lesions = drawn_lesions()
    known, suspected, strange = (lesions[name] for name in ("known", "suspected", "unknown"))
    yield "about", _about(known.contract)
    yield "about-dark", _about(known.contract, night=True)
    yield "about-large-text", _first_part(_about(known.contract, text_scale=_LARGE))
    yield "about-refused", _first_part(_about(known.contract, refused=True))
    yield "camera", _camera(known.picture)
    yield "camera-large-text", _camera(known.picture, text_scale=_LARGE)
    yield "camera-refused", _camera_refused()
    yield "camera-refused-landscape", _camera_refused("camera_failed", HEIGHT, WIDTH, _LARGEST)
    yield "result", _result(known)
    yield "result-suspected", _result(suspected)
    yield "result-dark", _result(suspected, night=True)
    yield "result-unknown", _result(strange)
    yield "result-large-text", _result(suspected, text_scale=_LARGE)
    yield "benchmark", _benchmark()
    yield "benchmark-dark", _benchmark(night=True)
    yield "benchmark-large-text", _benchmark(text_scale=_LARGE)


def screen_faults(folder: Path = SCREENS) -> list[str]:
    """Returns in words which pictures in the folder are not what is drawn today; [] if all are.

    Few colours, and rounding on another processor, move a colour a little; a changed letter is dark
    where it was light, another background is everywhere.
    """
    faults, again = [], "run `python -m android_demo.check screens`"
    drawn = dict(screens())
    if (kept := {file.stem for file in folder.glob("*.png")}) != set(drawn):
        faults.append(f"{folder} has {sorted(kept)}, expected {sorted(drawn)}; {again}")
    for name in sorted(kept & set(drawn)):
        there = np.asarray(Image.open(folder / f"{name}.png").convert("RGB"), np.int16)
        now = np.asarray(drawn[name], np.int16)
        if there.shape != now.shape:
            faults.append(f"{name}: {there.shape[:2]} instead of {now.shape[:2]} pixels; {again}")
            continue
        apart = np.abs(there - now).max(axis=-1)
        far, mean = int((apart > 100).sum()), float(apart.mean())
        if far >= 10 or mean >= 2:
            faults.append(f"{name}: {far} pixels are others, {mean:.2f} levels apart; {again}")
    return faults


def _first_part(picture: Image.Image) -> Image.Image:
    """What a phone shows before anyone scrolls."""
    return picture.crop((0, 0, picture.width, HEIGHT * SCALE))


def _screen(
    resources: Resources,
    text_scale: float = 1.0,
    painters: dict[str, Painter] | None = None,
    heights: dict[str, float] | None = None,
) -> Screen:
    return Screen(resources, WIDTH, text_scale, painters or {}, heights or {})


def _about(
    contract: Contract, night: bool = False, text_scale: float = 1.0, refused: bool = False
) -> Image.Image:
    resources = Resources(night)
    root = resources.layout("about")
    if refused:
        found = '\'version\' is "one"; expected two numbers, such as "1.0"'  # as the core says it
        said = fault_text("ContractInvalid", ["other.tflite"], found)
        root.find("problem").values |= {"text": said, "visibility": "visible"}
    root.find("card").values["text"] = "\n\n".join(_card(resources, contract))
    root.find("licence").values["text"] = contract.license
    return _screen(resources, text_scale).draw(root, HEIGHT, "@color/background")


def _card(resources: Resources, contract: Contract) -> Iterator[str]:
    """As ModelCard writes it."""
    told, size = contract.training, shipped().stat().st_size
    yield resources.string("card_head", contract.name, shipped().name, f"{size / 1e6:#.3g}")
    yield resources.string("card_knows", ", ".join(label.name for label in contract.labels))
    words = [told.images, told.data, told.split_protocol]
    if told.teacher is None:
        yield resources.string("card_trained", told.student, told.method, *words)
    else:
        yield resources.string("card_distilled", told.student, told.method, told.teacher, *words)
    if told.synthetic:
        yield resources.string("card_synthetic")
    for name, value in told.metrics.items():
        if isinstance(value, list):
            continue
        ends = told.metrics.get(f"{name}_interval")
        numbers = [value]
        if isinstance(ends, list) and ends[0] <= value <= ends[1]:
            numbers += ends
        shown = [f"{number:#.3g}" for number in numbers]
        line = "card_metric_interval" if len(shown) == 3 else "card_metric"
        yield resources.string(line, name.replace("_", " "), *shown)
    yield _card_alert(resources, contract)
    found = contract.calibration.sensitivity
    known = [label for label in contract.labels if label.code in found]
    each = ", ".join(f"{label.name} {_whole(found[label.code])}" for label in known)
    accepted = _whole(contract.calibration.accepted_share)
    yield resources.string("card_sensitivity", accepted, each)
    yield contract.intended_use


def _card_alert(resources: Resources, contract: Contract) -> str:
    alert = contract.decision.alert if contract.decision else None
    if alert is None:
        return resources.string("card_no_alert")
    shares = (alert.aim, *alert.sensitivity, *alert.specificity)
    words = [_named(contract, alert.code), _percent(alert.threshold), *map(_whole, shares)]
    return resources.string("card_alert", *words)


def _named(contract: Contract, code: str) -> str:
    return contract.labels[contract.codes.index(code)].name


def _camera(picture: Image.Image, text_scale: float = 1.0) -> Image.Image:
    resources = Resources(night=False)
    root = resources.layout("camera")
    root.find("hint").values["text"] = resources.string("hint_good")
    image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE))
    wide, high = image.width, image.width * 4 // 3
    top = (image.height - high) // 2
    seen = picture.resize((high, high), Image.Resampling.BICUBIC)
    image.paste(seen.crop(((high - wide) // 2, 0, (high + wide) // 2, high)), (0, top))
    veil = Image.new("RGBA", image.size)
    draw = ImageDraw.Draw(veil)
    radius = wide * _RING / 2
    ring = (
        wide / 2 - radius,
        image.height / 2 - radius,
        wide / 2 + radius,
        image.height / 2 + radius,
    )
    draw.rectangle((0, top, wide, top + high), fill=(0, 0, 0, 130))
    draw.ellipse(ring, fill=(0, 0, 0, 0), outline=(120, 220, 140, 255), width=4 * SCALE)
    image.paste(veil, mask=veil)
    over = _screen(resources, text_scale).draw(
        root.find("screen"), HEIGHT, "@color/camera_background"
    )
    # the texts lie over the camera's picture at the top and the bottom
    rows = np.flatnonzero(np.asarray(over).any(axis=(1, 2)))
    gap = int(np.diff(rows).argmax())
    head, foot = int(rows[gap]) + _PADDING, int(rows[gap + 1]) - _PADDING
    image.paste(over.crop((0, 0, wide, head)), (0, 0))
    image.paste(over.crop((0, foot, wide, image.height)), (0, foot))
    return image


def _camera_refused(
    why: str = "camera_refused", width: int = WIDTH, height: int = HEIGHT, text_scale: float = 1.0
) -> Image.Image:
    """As CameraActivity.refused leaves it."""
    resources = Resources(night=False)
    root = resources.layout("camera")
    root.find("hint").values["text"] = resources.string(why)
    root.find("choose_picture").values["visibility"] = "visible"
    for name in ("shoot", "guide_text"):
        root.find(name).values["visibility"] = "gone"
    screen = Screen(resources, width, text_scale, {}, {})
    return screen.draw(root.find("screen"), height, "@color/camera_background")


def _result(shown: Answered, night: bool = False, text_scale: float = 1.0) -> Image.Image:
    resources = Resources(night)
    root = resources.layout("result")
    probabilities = shown.answer.probabilities[0]
    order = np.argsort(-probabilities)
    alert = shown.alert
    first = shown.contract.codes.index(alert.code) if alert else int(order[0])
    name, percent = shown.contract.labels[first].name, _percent(probabilities[first])
    if shown.decision == UNKNOWN:
        root.find("headline").values["text"] = resources.string("unknown")
        root.find("explanation").values |= {
            "text": resources.string("unknown_text"),
            "visibility": "visible",
        }
        for name in ("looked_here", "strength"):
            root.find(name).values["visibility"] = "gone"
        picture = shown.picture
    else:
        head = "suspected" if alert else "most_likely"
        root.find("headline").values["text"] = resources.string(head, name, percent)
        if alert is not None:
            likeliest = None
            if first != order[0]:
                best = shown.contract.labels[int(order[0])].name
                likeliest = (best, _percent(probabilities[order[0]]))
            root.find("explanation").values |= {
                "text": _suspicion(resources, name, alert, likeliest),
                "visibility": "visible",
            }
        root.find("looked_here").values["text"] = resources.string("looked_here", name)
        rows = root.find("probabilities")
        rows.children = [
            _row(
                resources.layout("probability"),
                shown.contract.labels[int(i)].name,
                probabilities[i],
            )
            for i in order
        ]
        picture = _overlaid(shown, first)
    root.find("times").values["text"] = "\n".join(
        (
            resources.string("times", "…", "…"),
            resources.string("ran_on", "xnnpack", 4),
        )
    )
    height = (WIDTH - 40) * shown.picture.height / shown.picture.width
    paint = _painted(picture)
    screen = _screen(resources, text_scale, {"lesion": paint}, {"lesion": height})
    return screen.draw(root, HEIGHT, "@color/background")


def _suspicion(
    resources: Resources, name: str, alert: Alert, likeliest: tuple[str, str] | None
) -> str:
    """As ResultActivity writes it; `likeliest` is the likeliest class if it is another."""
    shares = map(_whole, (*alert.sensitivity, *alert.specificity))
    alarms = round(100 * (1 - alert.specificity[0]))
    text = resources.string("suspected_text", name, _percent(alert.threshold), *shares, alarms)
    if likeliest is None:
        return text
    return f"{resources.string('suspected_likeliest', *likeliest)} {text}"


def _row(row: Widget, name: str, probability: float) -> Widget:
    row = deepcopy(row)
    row.find("name").values["text"] = name
    row.find("percent").values["text"] = _percent(probability)
    row.find("bar").values["progress"] = str(round(float(probability) * 1000))
    return row


def _overlaid(shown: Answered, index: int) -> Image.Image:
    """As HeatMap and LesionView draw it."""
    cam = shown.answer.cam[0, :, :, index]
    size = shown.picture.size
    share = np.clip(cam / max(float(cam.max()), 1e-9), 0, 1).astype(np.float32)
    grown = np.asarray(Image.fromarray(share).resize(size, Image.Resampling.BILINEAR))[..., None]
    color = np.concatenate(
        [np.full_like(grown, 0xE6), 200 - grown * 160, np.full_like(grown, 0x1E)], axis=-1
    )
    cover = grown * 0.8 * _STRENGTH
    mixed = np.asarray(shown.picture, np.float32) * (1 - cover) + color * cover
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def _painted(picture: Image.Image) -> Painter:
    def paint(screen: Image.Image, box: Box) -> None:
        fitted = picture.resize((box.width, box.height), Image.Resampling.BICUBIC)
        screen.paste(fitted, (box.left, box.top))

    return paint


def _benchmark(night: bool = False, text_scale: float = 1.0) -> Image.Image:
    resources = Resources(night)
    root = resources.layout("benchmark")
    path = "/storage/emulated/0/Android/data/dermport.demo/files/benchmark.json"
    root.find("status").values["text"] = resources.string("benchmark_written", path)
    row = resources.string("benchmark_row", "xnnpack", 4, "xnnpack", *["…"] * 4, 0, 0)
    fallback = resources.string("benchmark_row", "xnnpack", 1, "gpu", *["…"] * 4, 0, 1)
    note = resources.string("benchmark_fell_back")
    technical = resources.string("technical_detail", "…")
    root.find("rows").values["text"] = f"{row}\n\n{fallback}\n{note}\n\n{technical}"
    return _screen(resources, text_scale).draw(root, HEIGHT, "@color/background")


def _percent(share: float) -> str:
    return f"{float(share) * 100:.1f}\u00a0%"


def _whole(share: float) -> str:
    return f"{share * 100:.0f}\u00a0%"
