"""The model contract: what travels with every model file so that it explains itself."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, field
from typing import Any

from runtimes.contract_checks import ContractValueError, close, is_numeric, require
from runtimes.contract_decision import DECISION_RULE, UNKNOWN_SCORES, Decision, read_decision
from runtimes.errors import InputError
from runtimes.strict_json import StrictObject, is_number, parse_object

SCHEMA = "dermport.contract"
# 1.1: input.dtype of a file may be uint8; 1.2: decision, which older contracts do not have
CONTRACT_VERSION = "1.2"
INPUT_NAME = "image"
OUTPUT_NAMES = ("probabilities", "cam", "unknown")
CROPS = ("none", "center-square")
INPUT_DTYPES = ("float32", "uint8")


@dataclass(frozen=True)
class Label:
    """One class: the code used in tables and its full name."""

    code: str
    name: str


@dataclass(frozen=True)
class Preprocessing:
    """How a photo becomes the network's input; `runtimes.preprocess` carries it out.

    Attributes:
        exif_orientation: whether the EXIF orientation is applied first.
        crop: "none" (the full frame is squashed) or "center-square".
        effective_resolution: side in pixels of the square that the training data had; the photo is
            reduced to it before it is enlarged to `size`.
        size: side of the network's input in pixels.
        resize_filter: "bilinear".
        antialias: true; the filter widens with the reduction, as Pillow's does.
    """

    exif_orientation: bool
    crop: str
    effective_resolution: int
    size: int
    resize_filter: str
    antialias: bool

    def __post_init__(self) -> None:
        require(self.crop in CROPS, "preprocessing.crop", self.crop, f"one of {', '.join(CROPS)}")
        for key, side in (("effective_resolution", self.effective_resolution), ("size", self.size)):
            require(1 <= side <= 4096, f"preprocessing.{key}", side, "1 to 4096 pixels")
        require(
            self.resize_filter == "bilinear",
            "preprocessing.resize_filter",
            self.resize_filter,
            "'bilinear'",
        )
        require(
            self.antialias,
            "preprocessing.antialias",
            self.antialias,
            "true (resizing without antialias gives other answers than in training)",
        )


@dataclass(frozen=True)
class Calibration:
    """What was fitted on the validation split.

    Attributes:
        temperature: T of softmax(z / T).
        unknown_threshold: an image whose `unknown` output is above it gets the answer "unknown".
        accepted_share: share of validation images whose `unknown` is at or below the threshold.
        sensitivity: class code → sensitivity among the accepted validation images.
    """

    temperature: float
    unknown_threshold: float
    accepted_share: float
    sensitivity: dict[str, float]

    def __post_init__(self) -> None:
        temperature, threshold = self.temperature, self.unknown_threshold
        fits = math.isfinite(temperature) and temperature > 0
        require(fits, "calibration.temperature", temperature, "a finite number above 0")
        require(
            math.isfinite(threshold), "calibration.unknown_threshold", threshold, "a finite number"
        )
        shares = {"accepted_share": self.accepted_share}
        shares |= {f"sensitivity.{code}": value for code, value in self.sensitivity.items()}
        for key, share in shares.items():
            require(0 <= share <= 1, f"calibration.{key}", share, "a share from 0 to 1")


@dataclass(frozen=True)
class Training:
    """How the network came about, and what it reached on the test split.

    Attributes:
        method: the recipe's method, for example "ssd_kd".
        student: architecture of this network.
        teacher: architecture of its teacher, None without one.
        data: name of the data set.
        synthetic: whether its images were drawn by code.
        images: number of images of the training split.
        split_protocol: "lesion" or "paper".
        split_sha256: the split's hash, 64 hexadecimal digits.
        seed: seed of the run.
        metrics: metric → number, or (nested) lists of numbers such as a confusion matrix.
    """

    method: str
    student: str
    teacher: str | None
    data: str
    synthetic: bool
    images: int
    split_protocol: str
    split_sha256: str
    seed: int
    metrics: dict[str, float | list[Any]]

    def __post_init__(self) -> None:
        require(self.images >= 0, "training.images", self.images, "0 or more")
        for name, value in self.metrics.items():
            require(
                is_numeric(value),
                f"training.metrics.{name}",
                value,
                "a finite number or lists of them",
            )


@dataclass(frozen=True)
class Contract:
    """Everything that an application must know to use a model file and to judge its answer.

    `input_dtype` belongs to one file and not to the model, so it plays no part in comparisons.
    `decision` is None in contracts older than 1.2 and where nobody measured what to decide by.
    """

    name: str
    labels: tuple[Label, ...]
    preprocessing: Preprocessing
    calibration: Calibration
    training: Training
    license: str
    intended_use: str
    input_dtype: str = field(default="float32", compare=False)
    decision: Decision | None = None

    def __post_init__(self) -> None:
        codes = list(self.codes)
        possible = f"one of {', '.join(INPUT_DTYPES)}"
        require(self.input_dtype in INPUT_DTYPES, "input.dtype", self.input_dtype, possible)
        require(bool(self.name.strip()), "name", self.name, "a name")
        require(len(codes) >= 2, "labels", codes, "at least two classes")
        require(all(code.strip() for code in codes), "labels", codes, "a code for every class")
        require(len(set(codes)) == len(codes), "labels", codes, "every code once")
        for code in self.calibration.sensitivity:
            require(
                code in codes, "calibration.sensitivity", code, f"one of {', '.join(codes[:50])}"
            )

        for alert in self.decision.alerts if self.decision else ():
            possible = f"one of {', '.join(codes[:50])}"
            require(alert.code in codes, "decision.alerts.code", alert.code, possible)

    @property
    def codes(self) -> tuple[str, ...]:
        """The class codes in the order of the outputs."""
        return tuple(label.code for label in self.labels)

    def to_json(self) -> str:
        """Returns the contract as indented JSON, keys in the declared order, newline at the end."""
        document = {
            "schema": SCHEMA,
            "version": CONTRACT_VERSION,
            "name": self.name,
            "labels": [asdict(label) for label in self.labels],
            "input": self._input(),
            "preprocessing": asdict(self.preprocessing),
            "outputs": self._outputs(),
            "calibration": asdict(self.calibration),
            **({"decision": self._decision(self.decision)} if self.decision else {}),
            "training": asdict(self.training),
            "license": self.license,
            "intended_use": self.intended_use,
        }
        return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str, origin: str) -> Contract:
        """Reads a contract strictly.

        A newer minor version may carry keys that this one does not know; they are passed over.

        Args:
            text: the JSON document.
            origin: what errors call it, for example the path of the model file.

        Raises:
            InputError: not JSON, an unknown or missing key, a wrong type or value, another schema
                or a newer major version; names `origin`, the key, what was found and expected.
        """
        top = parse_object(text, origin)
        if (schema := top.text("schema")) != SCHEMA:
            raise top.error("schema", schema, f"'{SCHEMA}'")
        newer = _is_newer_minor(top)
        try:
            contract = cls(
                name=top.text("name"),
                labels=_labels(top, newer),
                preprocessing=_preprocessing(top.child("preprocessing"), newer),
                calibration=_calibration(top.child("calibration"), newer),
                training=_training(top.child("training"), newer),
                license=top.text("license"),
                intended_use=top.text("intended_use"),
                input_dtype=top.child("input").text("dtype"),
                decision=(
                    read_decision(top.child("decision"), newer) if top.has("decision") else None
                ),
            )
        except ContractValueError as error:
            raise InputError(f"{origin}: {error}") from error
        except RecursionError as error:
            raise InputError(f"{origin}: its lists are nested too deeply; export again.") from error
        _check_derived(top, "input", contract._input(), newer)
        _check_derived(top, "outputs", contract._outputs(), newer)
        close(top, newer)
        return contract

    def _input(self) -> dict[str, Any]:
        side = self.preprocessing.size
        return {
            "name": INPUT_NAME,
            "shape": ["N", side, side, 3],
            "layout": "NHWC",
            "color": "RGB",
            "dtype": self.input_dtype,
            "range": [0, 255],
        }

    @staticmethod
    def _decision(decision: Decision) -> dict[str, Any]:
        return {"rule": DECISION_RULE, **asdict(decision)}

    def _outputs(self) -> list[dict[str, Any]]:
        classes = len(self.labels)
        score = self.decision.unknown_score if self.decision else "max_logit"
        return [
            {
                "name": "probabilities",
                "shape": ["N", classes],
                "dtype": "float32",
                "meaning": "softmax of the logits divided by calibration.temperature, "
                "in the order of labels",
            },
            {
                "name": "cam",
                "shape": ["N", "H", "W", classes],
                "layout": "NHWC",
                "dtype": "float32",
                "meaning": "class activation maps: spatial mean plus the class's bias = its logit",
            },
            {
                "name": "unknown",
                "shape": ["N"],
                "dtype": "float32",
                "meaning": f"{UNKNOWN_SCORES[score]}; above calibration.unknown_threshold the "
                "answer is 'unknown'",
            },
        ]


def check_model_name(name: str, where: str) -> None:
    """Checks that a model's name can be part of a file name on every system.

    Args:
        name: of the contract, which is that of the run folder at training.
        where: what the error names.

    Raises:
        InputError: it is empty, hidden, or has other characters than letters, digits, _ - and dot.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name):
        raise InputError(
            f"{where}: the name {name!r} cannot be part of file names. Use letters, digits, '_', "
            "'-' and '.' only: name another folder before training, or change `name` in the run's "
            "contract.json."
        )


def _is_newer_minor(top: StrictObject) -> bool:
    version = top.text("version")
    major, _, minor = version.partition(".")
    # isdecimal alone would let through digits of other scripts, and int() of a long string is slow
    if not (version.isascii() and major.isdecimal() and minor.isdecimal() and len(version) < 12):
        raise top.error("version", version, "two numbers, such as '1.0'")
    own_major, own_minor = map(int, CONTRACT_VERSION.split("."))
    if int(major) != own_major:
        raise top.error(
            "version",
            version,
            f"version {own_major}.x, which this dermport reads; update dermport or export again",
        )
    return int(minor) > own_minor


def _labels(top: StrictObject, newer: bool) -> tuple[Label, ...]:
    labels = []
    for item in top.children("labels"):
        labels.append(Label(code=item.text("code"), name=item.text("name")))
        close(item, newer)
    return tuple(labels)


def _preprocessing(item: StrictObject, newer: bool) -> Preprocessing:
    result = Preprocessing(
        exif_orientation=item.flag("exif_orientation"),
        crop=item.text("crop"),
        effective_resolution=item.integer("effective_resolution"),
        size=item.integer("size"),
        resize_filter=item.text("resize_filter"),
        antialias=item.flag("antialias"),
    )
    close(item, newer)
    return result


def _calibration(item: StrictObject, newer: bool) -> Calibration:
    sensitivity = item.mapping("sensitivity")
    for code, value in sensitivity.items():
        if not is_number(value):
            raise item.error(f"sensitivity.{code}", value, "a number")
    result = Calibration(
        temperature=item.number("temperature"),
        unknown_threshold=item.number("unknown_threshold"),
        accepted_share=item.number("accepted_share"),
        sensitivity={code: float(value) for code, value in sensitivity.items()},
    )
    close(item, newer)
    return result


def _training(item: StrictObject, newer: bool) -> Training:
    result = Training(
        method=item.text("method"),
        student=item.text("student"),
        teacher=item.text_or_none("teacher"),
        data=item.text("data"),
        synthetic=item.flag("synthetic"),
        images=item.integer("images"),
        split_protocol=item.text("split_protocol"),
        split_sha256=item.text("split_sha256"),
        seed=item.integer("seed"),
        metrics=item.mapping("metrics"),
    )
    close(item, newer)
    return result


def _check_derived(top: StrictObject, key: str, derived: Any, newer: bool) -> None:
    """The descriptions of input and outputs follow from the rest; another text is another model."""
    found = top.mapping(key) if isinstance(derived, dict) else top.array(key)
    # Neither of them has a truth value anywhere, and to Python false is the same as 0.
    if (found != derived or _has_flag(found)) and not newer:
        raise top.error(key, found, f"what the rest of it says, {json.dumps(derived)[:200]}")


def _has_flag(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_flag, value.values()))
    return any(map(_has_flag, value)) if isinstance(value, list) else isinstance(value, bool)
