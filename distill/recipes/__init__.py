"""Recipes as data: what a method is, and how much a budget trains.

`methods/NAME.yaml` says which terms make a method and which row of the paper it reproduces;
`budgets/NAME.yaml` says how long, at which size and with which optimizer each stage trains.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from distill.augment import Augmentation
from distill.settings import parse, plain, read_yaml
from runtimes.errors import InputError

SMALLEST_SIZE, LARGEST_SIZE = 32, 1024  # of a network's input, in pixels
_SIZES = f"{SMALLEST_SIZE} to {LARGEST_SIZE} pixels"
_FOLDER = Path(__file__).parent
TERMS: dict[str, tuple[str, ...]] = {
    "wce": (),
    "adjusted": ("adjustment",),
    "kd": ("temperature",),
    "kd_standardized": ("temperature",),
    "kd_rotated": ("temperature", "keep"),
    "ss": ("temperature", "keep"),
    "drkd": (),
    "crkd": (),
}
TERM_SETTINGS = ("temperature", "keep", "adjustment")
_WITHOUT_TEACHER = {"wce", "adjusted"}
OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("plateau", "cosine", "steps")
SELECTIONS = ("weighted_loss", "balanced_accuracy", "accuracy")
DIVERGENCE = "divergence"  # from the float student, where one is fine-tuned for int8
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
CLASS_WEIGHTS = ("inverse", "square-root", "equal")


@dataclass(frozen=True)
class Term:
    """One loss term: its weight, and the settings of those that have some.

    Attributes:
        weight: of the term in the sum.
        temperature: T of the softened logits or similarities.
        keep: share of the ranked wrong rows that counts.
        adjustment: τ of the logit adjustment.
    """

    weight: float
    temperature: float | None = None
    keep: float | None = None
    adjustment: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.weight < math.inf:
            raise ValueError(f"weight is {self.weight}, expected 0 or more")
        if self.temperature is not None and not 0 < self.temperature < math.inf:
            raise ValueError(f"temperature is {self.temperature}, expected more than 0")
        if self.keep is not None and not 0 <= self.keep <= 1:
            raise ValueError(f"keep is {self.keep}, expected a share from 0 to 1")
        if self.adjustment is not None and not 0 <= self.adjustment < math.inf:
            raise ValueError(f"adjustment is {self.adjustment}, expected 0 or more")

    def settings(self) -> dict[str, float]:
        """The settings that the term has, as the losses take them."""
        found = {name: getattr(self, name) for name in TERM_SETTINGS}
        return {key: value for key, value in found.items() if value is not None}


@dataclass(frozen=True)
class Pair:
    """torchvision names of teacher and student."""

    teacher: str
    student: str

    @classmethod
    def parse(cls, text: str) -> Pair:
        """Reads "TEACHER:STUDENT".

        Raises:
            InputError: one of the names is missing.
        """
        teacher, _, student = text.partition(":")
        if not teacher or not student:
            raise InputError(f"the pair is '{text}', expected TEACHER:STUDENT.")
        return cls(teacher, student)


@dataclass(frozen=True)
class Method:
    """A method is a weighted sum of terms.

    Attributes:
        name: name of the recipe.
        paper: the figure or table row that it reproduces.
        cost: what a run costs, on which hardware.
        command: the exact command.
        pair: the default networks.
        terms: term name to its settings.
    """

    name: str
    paper: str
    cost: str
    command: str
    pair: Pair
    terms: dict[str, Term]

    def __post_init__(self) -> None:
        for name, term in self.terms.items():
            if name not in TERMS:
                raise ValueError(f"unknown term '{name}'; possible: {', '.join(TERMS)}")
            for key in TERM_SETTINGS:
                if (getattr(term, key) is not None) != (key in TERMS[name]):
                    wanted = ", ".join(("weight", *TERMS[name]))
                    raise ValueError(f"the term {name} takes {wanted}; '{key}' does not fit")
        if not self.terms:
            raise ValueError("a method needs at least one term")

    @property
    def needs_teacher(self) -> bool:
        """Whether any term compares the student with a teacher."""
        return not set(self.terms) <= _WITHOUT_TEACHER

    @property
    def needs_head(self) -> bool:
        """Whether the projection heads are used."""
        return "ss" in self.terms

    @property
    def needs_four_views(self) -> bool:
        """Whether a term compares views turned by quarter turns."""
        return bool({"ss", "kd_rotated"} & set(self.terms))


@dataclass(frozen=True)
class Phase:
    """A stretch of training at one image size.

    Attributes:
        epochs: passes over the training split; fractions are allowed.
        size: edge of the views in pixels.
        batch: images a step over all processes, each with its views.
        views: 4 or 1; with 1 the terms that compare turned views rest in this phase.
        lr_scale: what "cosine" multiplies the stage's learning rate by in this phase.
    """

    epochs: float
    size: int
    batch: int
    views: int = 1
    lr_scale: float = 1.0

    def __post_init__(self) -> None:
        if self.views not in (1, 4):
            raise ValueError(f"views is {self.views}, expected 1 or 4")
        limits = (
            ("epochs", 0 < self.epochs < math.inf, "a positive number"),
            ("size", SMALLEST_SIZE <= self.size <= LARGEST_SIZE, _SIZES),
            ("batch", self.batch >= 1, "1 or more"),
            ("lr_scale", 0 < self.lr_scale < math.inf, "a positive number"),
        )
        _check(self, limits)


@dataclass(frozen=True)
class Stage:
    """How one network is trained: phases, optimizer and schedule.

    Attributes:
        phases: stretches of training, one after another.
        lr: largest learning rate.
        weights: "imagenet", "random", or the name of a weights file without its ending.
        optimizer: "sgd" with momentum (the paper's) or "adamw".
        momentum: of SGD.
        weight_decay: of the optimizer; decoupled in "adamw".
        schedule: "plateau" (times `factor` when the validation loss rests for `patience` epochs),
            "cosine" to 0 in each phase, or "steps" (times `factor` at the epochs of `milestones`).
        warmup: share of a phase's steps over which "cosine" rises from a tenth.
        factor: see `schedule`.
        patience: see `schedule`.
        lr_floor: smallest learning rate of "plateau".
        milestones: see `schedule`.
        early_stop: epochs without improvement of the selection after which training ends.
        select: validation metric that chooses the best checkpoint: "weighted_loss" (lowest),
            "balanced_accuracy" or "accuracy" (highest); compared within the last phase's size.
            Fine-tuning for int8 sets "divergence" (lowest), which no budget can.
        class_weights: "inverse" (the paper's N/n_c), "square-root" of it, or "equal".
        grad_clip: largest gradient norm; none by default.
    """

    phases: tuple[Phase, ...]
    lr: float
    weights: str = "imagenet"
    optimizer: str = "sgd"
    momentum: float = 0.9
    weight_decay: float = 1e-3
    schedule: str = "plateau"
    warmup: float = 0.0
    factor: float = 0.1
    patience: int = 10
    lr_floor: float = 1e-6
    milestones: tuple[int, ...] = ()
    early_stop: int | None = None
    select: str = "weighted_loss"
    class_weights: str = "inverse"
    grad_clip: float | None = None

    def __post_init__(self) -> None:
        for key, options in (
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("select", (*SELECTIONS, DIVERGENCE)),
            ("class_weights", CLASS_WEIGHTS),
        ):
            if getattr(self, key) not in options:
                raise ValueError(f"{key} is '{getattr(self, key)}'; possible: {', '.join(options)}")
        if not self.phases:
            raise ValueError("phases is empty, expected at least one")
        limits = (
            ("lr", 0 < self.lr < math.inf, "a positive number"),
            ("momentum", 0 <= self.momentum < 1, "0 to below 1"),
            ("weight_decay", 0 <= self.weight_decay < math.inf, "0 or more"),
            ("lr_floor", 0 <= self.lr_floor < math.inf, "0 or more"),
            ("warmup", 0 <= self.warmup < 1, "a share of 0 to below 1"),
            ("factor", 0 < self.factor <= 1, "above 0 to 1"),
            ("patience", self.patience >= 0, "0 or more"),
            ("early_stop", self.early_stop is None or self.early_stop >= 1, "1 or more"),
            ("grad_clip", self.grad_clip is None or self.grad_clip > 0, "a positive number"),
        )
        _check(self, limits)


@dataclass(frozen=True)
class HeadStage:
    """How the teacher's projection head is trained on the frozen teacher's pooled features.

    Attributes:
        epochs: passes over the drawn features.
        batch: images a step.
        size: edge of the views; views are drawn once and their features kept.
        draws: how many sets of augmented views are drawn; epochs take them in turn. With as many
            draws as epochs every epoch sees fresh views, as in the paper.
        images: at most this many images of the training split; all by default.
        lr: of SGD, times 0.1 at each of `milestones`.
        milestones: epochs.
    """

    epochs: int = 60
    batch: int = 32
    size: int = 224
    draws: int = 1
    images: int | None = None
    lr: float = 1e-3
    milestones: tuple[int, ...] = (30, 45)

    def __post_init__(self) -> None:
        limits = (
            ("epochs", self.epochs >= 1, "1 or more"),
            ("batch", self.batch >= 2, "2 or more, since images are told apart"),
            ("size", self.size >= 32, "32 pixels or more"),
            ("draws", self.draws >= 1, "1 or more"),
            ("images", self.images is None or self.images >= 2, "2 or more"),
            ("lr", 0 < self.lr < math.inf, "a positive number"),
        )
        _check(self, limits)


@dataclass(frozen=True)
class Budget:
    """How much is trained: one stage each for teacher, teacher's projection head and student.

    Attributes:
        name: name of the budget.
        purpose: what it is for and what it costs.
        cache: E, edge in pixels of the cached images (the effective resolution).
        evaluation_size: S, edge of the network's input after training.
        teacher: stage of the teacher.
        head: stage of the teacher's projection head.
        student: stage of the student.
        augmentation: what changes between views; the paper's set by default.
        images_per_class: at most this many training images of each class; all by default.
    """

    name: str
    purpose: str
    cache: int
    evaluation_size: int
    teacher: Stage
    head: HeadStage
    student: Stage
    augmentation: Augmentation = field(default_factory=Augmentation)
    images_per_class: int | None = None

    def __post_init__(self) -> None:
        limits = (
            ("name", bool(_NAME.fullmatch(self.name)), "letters, digits and - _ . only"),
            ("cache", 8 <= self.cache <= 1024, "8 to 1024 pixels"),
            ("evaluation_size", SMALLEST_SIZE <= self.evaluation_size <= LARGEST_SIZE, _SIZES),
            (
                "images_per_class",
                self.images_per_class is None or self.images_per_class >= 2,
                "2 or more",
            ),
        )
        _check(self, limits)
        if DIVERGENCE in (self.teacher.select, self.student.select):
            raise ValueError(f"select is '{DIVERGENCE}'; possible: {', '.join(SELECTIONS)}")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run, as it is written to `recipe.yaml` in its folder.

    Attributes:
        method: the terms.
        budget: how much is trained.
        pair: the networks.
        seed: of training, and of the split where `split_seed` is None.
        split: protocol.
        fold: validation fold of the paper's protocol.
        split_seed: of the split and of the images drawn from it.
    """

    method: Method
    budget: Budget
    pair: Pair
    seed: int = 2021
    split: str = "lesion"
    fold: int = 2
    split_seed: int | None = None

    def stages(self) -> dict[str, object]:
        """What decides the weights: all but names, costs and descriptions."""
        about = plain(self)
        for key in ("paper", "cost", "command", "pair"):
            del about["method"][key]
        del about["budget"]["purpose"]
        return dict(about)


def read_method(name: str) -> Method:
    """Reads a method by name, or from a path that ends in .yaml."""
    return parse(Method, read_yaml(_find("methods", name)), f"recipe {name}")


def read_budget(name: str) -> Budget:
    """Reads a budget by name, or from a path that ends in .yaml."""
    return parse(Budget, read_yaml(_find("budgets", name)), f"budget {name}")


def names(kind: str) -> list[str]:
    """Names of the recipes that ship: kind is "methods" or "budgets"."""
    return sorted(path.stem for path in (_FOLDER / kind).glob("*.yaml"))


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Writes the whole recipe as YAML in one step."""
    import yaml

    from runtimes.atomic import write_text

    write_text(path, yaml.safe_dump(plain(recipe), sort_keys=False, allow_unicode=True))


def read_recipe(path: Path) -> Recipe:
    """Reads what `write_recipe` wrote."""
    return parse(Recipe, read_yaml(path), str(path))


def _check(settings: object, limits: tuple[tuple[str, bool, str], ...]) -> None:
    for key, fits, expected in limits:
        if not fits:
            raise ValueError(f"{key} is {getattr(settings, key)}, expected {expected}")


def _find(kind: str, name: str) -> Path:
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    path = _FOLDER / kind / f"{name}.yaml"
    if not path.is_file():
        raise InputError(
            f"there is no {kind.removesuffix('s')} '{name}'; possible: {', '.join(names(kind))}, "
            "or the path of a .yaml file."
        )
    return path
