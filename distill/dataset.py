"""A data set ready for training: index, split and decoded cache, opened together."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from distill.cache import Cache, build_cache
from distill.index import Index, read_index
from distill.splits import Split, make_split, read_split
from runtimes.atomic import write_json
from runtimes.errors import InputError
from runtimes.json_files import read_json

CACHE_FOLDER = Path("data/cache")


@dataclass(frozen=True)
class Dataset:
    """Images with their classes and lesions, divided into sides.

    Attributes:
        index: the whole data set.
        split: its three sides.
        cache: its decoded images.
        source: where it lies.
        images: which of its image folders or zips was read.
        skip_unmatched: whether labels without an image were left out.
        cache_folder: where decoded images go.
        per_class: at most this many images of each class on the training side, drawn with the
            split's seed; all by default.
    """

    index: Index
    split: Split
    cache: Cache
    source: Path
    images: str
    skip_unmatched: bool = False
    cache_folder: Path = CACHE_FOLDER
    per_class: int | None = None

    def rows(self, side: str) -> np.ndarray:
        """Cache rows (int64) of "train", "validation" or "test"."""
        return self.cache.rows(self._readable(side))

    def labels(self, side: str) -> np.ndarray:
        """Class numbers (int64) in the order of `rows`."""
        label = {record.image: record.label for record in self.index.records}
        return np.array([label[image] for image in self._readable(side)], dtype=np.int64)

    def groups(self, side: str) -> list[str]:
        """Lesions (duplicates merged) in the order of `rows`."""
        group = {record.image: record.group for record in self.index.records}
        return [group[image] for image in self._readable(side)]

    def ids(self, side: str) -> tuple[str, ...]:
        """Image identifiers in the order of `rows`."""
        return self._readable(side)

    def class_counts(self) -> list[int]:
        """Images of each class on the training side."""
        counts = np.bincount(self.labels("train"), minlength=len(self.index.classes))
        return [int(count) for count in counts]

    def _readable(self, side: str) -> tuple[str, ...]:
        skipped = set(self.cache.skipped)
        found = tuple(image for image in self.split.side(side) if image not in skipped)
        if side != "train" or self.per_class is None:
            return found
        return self._drawn(found, self.per_class)

    def _drawn(self, images: tuple[str, ...], per_class: int) -> tuple[str, ...]:
        label = {record.image: record.label for record in self.index.records}
        order = np.random.Generator(np.random.PCG64([self.split.seed])).permutation(len(images))
        drawn, left = set(), [per_class] * len(self.index.classes)
        for position in order:
            image = images[position]
            if left[label[image]]:
                drawn.add(image)
                left[label[image]] -= 1
        return tuple(image for image in images if image in drawn)


@dataclass(frozen=True)
class DeviceImages:
    """Cached pixels where batches are made: all of them on a GPU, mapped from disk for the CPU."""

    pixels: Tensor
    device: torch.device

    def batch(self, rows: Tensor) -> Tensor:
        """Returns (n, 3, E, E) uint8 on the device for rows (n,) that lie on it."""
        return self.pixels[rows].permute(0, 3, 1, 2)


def prepare_dataset(
    data: Path,
    cache_size: int,
    *,
    images: str = "auto",
    protocol: str = "lesion",
    seed: int = 2021,
    fold: int = 2,
    cache_folder: Path = CACHE_FOLDER,
    skip_unreadable: bool = False,
    skip_unmatched: bool = False,
    per_class: int | None = None,
) -> Dataset:
    """Reads, splits and decodes a data set; the cache is built once and found again later.

    Raises:
        InputError: see `read_index`, `make_split` and `build_cache`.
    """
    index = read_index(data, images, skip_unmatched=skip_unmatched)
    split = make_split(index, protocol, seed, fold)
    cache = build_cache(
        index,
        _cache_path(cache_folder, index, cache_size),
        cache_size,
        skip_unreadable=skip_unreadable,
    )
    return Dataset(index, split, cache, Path(data), images, skip_unmatched, cache_folder, per_class)


def describe_dataset(run: Path, dataset: Dataset, *, with_places: bool = True) -> None:
    """Writes data.json into a run folder, for `open_dataset`.

    Args:
        run: the folder.
        dataset: what is described.
        with_places: whether to say where images and cache lie; a released model does not.
    """
    about = {
        "data": str(dataset.source.resolve()) if with_places else None,
        "images": dataset.images,
        "cache_folder": str(dataset.cache_folder.resolve()) if with_places else None,
        "cache_size": dataset.cache.size,
        "index_sha256": dataset.index.sha256,
        "skipped": list(dataset.cache.skipped),
        "skip_unmatched": dataset.skip_unmatched,
        "images_per_class": dataset.per_class,
    }
    write_json(run / "data.json", about)


def is_released(run: Path) -> bool:
    """Whether a folder is a released model, which does not say where its images lie."""
    try:
        about = read_json(run / "data.json")
        return about["data"] is None
    except (OSError, ValueError, KeyError, TypeError):
        return False


def open_dataset(run: Path, data: Path | None = None, cache_folder: Path | None = None) -> Dataset:
    """Opens the data set that a run was trained on.

    Args:
        run: a run folder with data.json and split.json.
        data: where the data set lies now, by default where the run found it.
        cache_folder: where decoded images go, by default where the run put them.

    Raises:
        InputError: the run has no data.json, the data set is another one than the run's, or a
            released model comes without `data`.
    """
    about_path = run / "data.json"
    try:
        about = read_json(about_path)
        where = None if data is None and about["data"] is None else Path(data or about["data"])
        images, size = about["images"], int(about["cache_size"])
        known, skipped = about["index_sha256"], about["skipped"]
        unmatched = bool(about.get("skip_unmatched", False))
        folder = cache_folder or Path(about["cache_folder"] or CACHE_FOLDER)
        per_class = about.get("images_per_class")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{about_path} does not say which data set the run used ({error}). "
            "Give a run folder that `python -m distill train` wrote; if this is one, the file was "
            "damaged since: take it from a copy of the run."
        ) from error
    if where is None:
        raise InputError(
            f"{run} is a released model and carries no images. Say where the data set that it was "
            "trained on lies with --data."
        )
    index = read_index(where, images, skip_unmatched=unmatched)
    if index.sha256 != known:
        raise InputError(
            f"{where} is not the data set that {run} was trained on: its index hashes to "
            f"{index.sha256[:12]}, expected {known[:12]}. Pass the right one with --data."
        )
    cache = build_cache(
        index, _cache_path(folder, index, size), size, skip_unreadable=bool(skipped)
    )
    split = read_split(run / "split.json")
    return Dataset(index, split, cache, where, images, unmatched, folder, per_class)


def to_device(dataset: Dataset, device: torch.device) -> DeviceImages:
    """Puts the decoded images where batches are made."""
    pixels = _as_tensor(dataset.cache.pixels)
    return DeviceImages(pixels.to(device), device)


def _as_tensor(pixels: np.ndarray) -> Tensor:
    """Shares the memory of a read-only map with torch; nothing here writes to it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.asarray(pixels))


def _cache_path(folder: Path, index: Index, size: int) -> Path:
    root = Path(index.root).resolve()  # one cache, however the data set is named
    name = hashlib.sha256(f"{index.sha256} {root}".encode()).hexdigest()[:12]
    return folder / f"{Path(index.root).stem}-{size}-{name}"
