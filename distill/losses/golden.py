"""Comparison of every loss term with a golden file, computed by other code in float64."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from distill import losses
from runtimes.errors import InputError

TOLERANCE = 1e-6

# The shape of each input by its axes; the same letter is the same number throughout one case.
INPUT_AXES: Mapping[str, tuple[str, ...]] = {
    "target": ("batch",),
    "class_weight": ("K",),
    "feat_s": ("n", "C", "H_s", "W_s"),
    "feat_t": ("n", "C", "H_t", "W_t"),
    "pool_s": ("n", "D_s"),
    "pool_t": ("n", "D_t"),
    "logits_s": ("n", "K"),
    "logits_t": ("n", "K"),
    "proj_s": ("n", "P_s"),
    "proj_t": ("n", "P_t"),
}
OUTPUTS = (
    "gram_t0",
    "crkd",
    "rkd_distance",
    "rkd_angle",
    "drkd",
    "blkd_lambda0.5_T5",
    "similarity_s",
    "similarity_t",
    "teacher_ss_loss",
    "ss_rank",
    "ss_keep",
    "wce",
    "kd",
    "tf",
    "ss",
    "hr",
    "total",
)
_KEY = re.compile(r"case(\d+)/(in|out)/([\w.]+)")


@dataclass(frozen=True)
class TermError:
    """The largest difference of one term from the file, relative to the file's largest value."""

    case: int
    term: str
    relative: float

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance; a value that is no number never is."""
        return self.relative <= TOLERANCE


def check_golden(path: Path) -> tuple[TermError, ...]:
    """Returns the error of each term in each case of a golden file.

    Args:
        path: an .npz with keys `caseK/in/NAME` and `caseK/out/NAME`; views in groups of four.

    Raises:
        InputError: the file is missing, unreadable, or not of this layout.
    """
    errors = []
    for case, (inputs, outputs) in sorted(_read_cases(Path(path)).items()):
        computed = compute_terms(inputs)
        for term in OUTPUTS:
            errors.append(TermError(case, term, _relative_error(computed[term], outputs[term])))
    return tuple(errors)


def compute_terms(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns every output of the golden layout.

    Args:
        inputs: tensors named and shaped as in `INPUT_AXES`, n = 4·batch views.
    """
    target, class_weight = inputs["target"], inputs["class_weight"]
    logits_s, logits_t = inputs["logits_s"], inputs["logits_t"]
    plain_s, plain_t = losses.unrotated(logits_s), losses.unrotated(logits_t)
    similarity_s = losses.similarity(inputs["proj_s"])
    similarity_t = losses.similarity(inputs["proj_t"])
    own_image = torch.arange(len(target), device=target.device).repeat_interleave(3)
    terms = {
        "wce": losses.weighted_cross_entropy(plain_s, target, class_weight),
        "kd": losses.distillation(plain_s, plain_t, 4.0),
        "tf": losses.rotated_distillation(logits_s, logits_t, target),
        "ss": losses.contrastive_distillation(similarity_s, similarity_t),
        "drkd": losses.drkd(inputs["pool_s"], inputs["pool_t"]),
        "crkd": losses.crkd(inputs["feat_s"], inputs["feat_t"]),
    }
    weights = losses.SSD_KD_WEIGHTS
    return {
        **terms,
        "gram_t0": losses.gram_matrix(inputs["feat_t"][:1])[0],
        "rkd_distance": losses.rkd_distance(inputs["pool_s"], inputs["pool_t"]),
        "rkd_angle": losses.rkd_angle(inputs["pool_s"], inputs["pool_t"]),
        "blkd_lambda0.5_T5": losses.blkd(plain_s, plain_t, target, class_weight, 0.5, 5.0),
        "similarity_s": similarity_s,
        "similarity_t": similarity_t,
        "teacher_ss_loss": losses.contrastive_teacher_loss(similarity_t),
        "ss_rank": losses.row_ranks(similarity_t, own_image),
        "ss_keep": losses.ranked_rows(similarity_t, own_image, 0.75).nonzero()[:, 0],
        "hr": weights["drkd"] * terms["drkd"] + weights["crkd"] * terms["crkd"],
        "total": losses.ssd_kd_total(terms),
    }


def _relative_error(computed: Tensor, expected: np.ndarray) -> float:
    if tuple(computed.shape) != expected.shape or not np.isfinite(expected).all():
        return float("inf")
    difference = np.abs(computed.numpy() - expected).max(initial=0.0)
    scale = np.abs(expected).max(initial=0.0)
    return float(difference / scale) if scale > 0 else float(difference)


Case = tuple[dict[str, Tensor], dict[str, np.ndarray]]


def _read_cases(path: Path) -> dict[int, Case]:
    found: dict[int, dict[str, dict[str, np.ndarray]]] = {}
    for key, array in _read_arrays(path).items():
        match = _KEY.fullmatch(key)
        known = {"in": tuple(INPUT_AXES), "out": OUTPUTS}
        if match is None or match[3] not in known[match[2]]:
            raise _layout_error(
                path,
                f"it holds '{key}'. Keys are caseK/in/NAME with NAME of {', '.join(INPUT_AXES)}, "
                f"and caseK/out/NAME with NAME of {', '.join(OUTPUTS)}",
            )
        if array.dtype.kind not in "fiu":
            raise _layout_error(path, f"'{key}' holds {array.dtype}, expected numbers")
        sides = found.setdefault(int(match[1]), {"in": {}, "out": {}})
        sides[match[2]][match[3]] = array
    if not found:
        raise _layout_error(path, "it holds no arrays, expected at least case0/in/…, case0/out/…")
    return {number: _checked_case(path, number, sides) for number, sides in found.items()}


def _checked_case(path: Path, number: int, sides: dict[str, dict[str, np.ndarray]]) -> Case:
    missing = [f"case{number}/in/{name}" for name in INPUT_AXES if name not in sides["in"]]
    missing += [f"case{number}/out/{name}" for name in OUTPUTS if name not in sides["out"]]
    if missing:
        raise _layout_error(path, f"it lacks {', '.join(missing)}")
    sizes: dict[str, int] = {}
    for name, axes in INPUT_AXES.items():
        shape = sides["in"][name].shape
        if len(shape) != len(axes) or any(
            sizes.setdefault(axis, size) != size for axis, size in zip(axes, shape, strict=True)
        ):
            raise _layout_error(
                path,
                f"case{number}/in/{name} has shape {shape}, expected ({', '.join(axes)}) "
                f"with {', '.join(f'{axis} = {size}' for axis, size in sizes.items())}",
            )
    if sizes["n"] != 4 * sizes["batch"] or min(sizes.values()) < 1:
        raise _layout_error(
            path,
            f"case{number} has {sizes['n']} views of {sizes['batch']} images, expected four views "
            "of each image and no empty axis",
        )
    target = sides["in"]["target"]
    if target.dtype.kind == "f" or target.min() < 0 or target.max() >= sizes["K"]:
        raise _layout_error(
            path, f"case{number}/in/target must be whole numbers from 0 to {sizes['K'] - 1}"
        )
    tensors = {
        name: torch.from_numpy(array.astype(np.int64 if name == "target" else np.float64))
        for name, array in sides["in"].items()
    }
    return tensors, sides["out"]


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise InputError(f"{path} is not a file. Give a golden file of loss terms (.npz).")
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise _layout_error(path, "it is one bare array, expected an .npz archive")
        with archive:
            return {key: archive[key] for key in archive.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise _layout_error(
            path, "it is damaged, no .npz archive, or holds pickled objects, which are never loaded"
        ) from error


def _layout_error(path: Path, fault: str) -> InputError:
    return InputError(
        f"{path} is not a golden file of loss terms: {fault}. Write it anew with numpy.savez, "
        "inputs and outputs of each case as python -m distill check-losses --help describes."
    )
