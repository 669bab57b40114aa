"""All images of an index decoded once, as one uint8 array on disk."""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from distill.image_source import ImageSource
from distill.index import Index, Record, open_images
from runtimes.atomic import replacing_folder, write_json
from runtimes.console import progress
from runtimes.contract import Preprocessing
from runtimes.errors import InputError
from runtimes.json_files import read_json
from runtimes.preprocess import load_image, preprocess

_FORMAT = 1  # goes up when decoding changes, so that an older cache is not taken for a new one
_PIXELS, _ABOUT = "pixels.npy", "cache.json"
_IN_FLIGHT_PER_WORKER = 4


@dataclass(frozen=True)
class Cache:
    """Decoded images: `pixels` (N, size, size, 3) RGB uint8, one row for each of `ids`.

    `skipped` are the images of the index that could not be read and were left out on purpose.
    """

    pixels: np.memmap
    ids: tuple[str, ...]
    size: int
    skipped: tuple[str, ...]
    _row: dict[str, int] = field(repr=False, compare=False)

    def rows(self, ids: Iterable[str]) -> np.ndarray:
        """Returns the rows (int64) of the named images, in the order asked for.

        Raises:
            InputError: an image is not in the cache.
        """
        try:
            return np.array([self._row[image] for image in ids], dtype=np.int64)
        except KeyError as error:
            reason = "unreadable and left out" if error.args[0] in self.skipped else "not in it"
            raise InputError(
                f"the image {error.args[0]!r} is {reason} of the cache of {len(self.ids)} images. "
                "Build the cache again from the same data set."
            ) from None


def build_cache(
    index: Index, folder: Path, size: int, crop: str = "none", *, skip_unreadable: bool = False
) -> Cache:
    """Decodes every image of `index` to size × size, or opens `folder` if it holds just that.

    Pixels are those of `runtimes.preprocess.preprocess` at the effective resolution `size`. The
    folder is replaced as a whole at the end, so a killed run leaves the earlier cache or none.

    Args:
        index: the data set.
        folder: where pixels.npy and cache.json go.
        size: edge in pixels.
        crop: "none" squashes the full frame, "center-square" crops first.
        skip_unreadable: leave out images that cannot be read (see `Cache.skipped`).

    Raises:
        InputError: unreadable images (all are tried, the first ten are named), a full disk, or a
            size below 8 or above 1024 pixels.
    """
    if not 8 <= size <= 1024:
        raise InputError(f"cache size {size}: expected an edge of 8 to 1024 pixels.")
    folder = Path(folder)
    source = open_images(index)
    key = _key(index, source, size, crop)
    found = _open(folder, key, skip_unreadable)
    if found is not None:
        return found
    recipe = Preprocessing(
        exif_orientation=True,
        crop=crop,
        effective_resolution=size,
        size=size,
        resize_filter="bilinear",
        antialias=True,
    )
    with replacing_folder(folder) as temporary:
        pixels = _reserve(temporary / _PIXELS, (len(index.records), size, size, 3))
        ids: list[str] = []
        faults: list[tuple[str, str]] = []
        with progress("decoding images", len(index.records)) as bar:
            for record, image in _decode_all(index.records, source, recipe):
                if isinstance(image, str):
                    faults.append((record.image, image))
                else:
                    pixels[len(ids)] = image
                    ids.append(record.image)
                bar.advance()
        if faults and not (skip_unreadable and ids):
            raise InputError(_describe(faults, index, bool(ids)))
        pixels.flush()
        del pixels
        about = {
            "key": key,
            "size": size,
            "crop": crop,
            "images": ids,
            "skipped": [image for image, _ in faults],
        }
        write_json(temporary / _ABOUT, about)
    opened = _open(folder, key, skip_unreadable)
    if opened is None:
        raise InputError(f"the cache {folder} was changed while it was written. Build it again.")
    return opened


def _key(index: Index, source: ImageSource, size: int, crop: str) -> str:
    """Hashes what the pixels depend on: the files' marks, the size, the crop and this format."""
    digest = hashlib.sha256(json.dumps([_FORMAT, size, crop, str(source.root.resolve())]).encode())
    for record in index.records:
        digest.update(f"{record.image}\0{record.location}\0".encode())
        digest.update(f"{source.stamp(record.location)}\n".encode())
    return digest.hexdigest()


def _open(folder: Path, key: str, skip_unreadable: bool) -> Cache | None:
    try:
        about: Any = read_json(folder / _ABOUT)
        if about["key"] != key or (about["skipped"] and not skip_unreadable):
            return None
        pixels = np.load(folder / _PIXELS, mmap_mode="r", allow_pickle=False)
        ids, skipped, size = tuple(about["images"]), tuple(about["skipped"]), about["size"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != (size, size, 3):
        return None
    if len(pixels) != len(ids) + len(skipped):
        return None
    rows = {image: row for row, image in enumerate(ids)}
    return Cache(pixels[: len(ids)], ids, size, skipped, rows)


def _reserve(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """Makes the array and claims its blocks: writing to a map on a full disk kills the process."""
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    with path.open("r+b") as stream:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
        else:
            stream.seek(pixels.offset)
            empty = bytes(1 << 20)
            for start in range(0, pixels.nbytes, len(empty)):
                stream.write(empty[: pixels.nbytes - start])
    return pixels


def _decode_all(
    records: Iterable[Record], source: ImageSource, recipe: Preprocessing
) -> Iterator[tuple[Record, np.ndarray | str]]:
    """Yields (record, pixels or the reason why there are none) in order, a few images ahead.

    Threads are enough: Pillow lets go of the interpreter while it decodes and resizes.
    """

    def decode(record: Record) -> np.ndarray | str:
        try:
            return preprocess(load_image(source.read(record), record.location), recipe)
        except InputError as error:
            return str(error)

    workers = min(32, os.cpu_count() or 1)
    waiting: deque[tuple[Record, Future[np.ndarray | str]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for record in records:
                waiting.append((record, pool.submit(decode, record)))
                if len(waiting) > workers * _IN_FLIGHT_PER_WORKER:
                    ready, future = waiting.popleft()
                    yield ready, future.result()
            while waiting:
                ready, future = waiting.popleft()
                yield ready, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _describe(faults: list[tuple[str, str]], index: Index, some_left: bool) -> str:
    lines = "\n".join(f"  {reason}" for _, reason in faults[:10])
    more = f"\n  and {len(faults) - 10} more" if len(faults) > 10 else ""
    remedy = (
        "Replace them, or leave them out with --skip-unreadable."
        if some_left
        else ("Not one image could be read: is this the right data set?")
    )
    return f"{len(faults)} images of {index.root} cannot be read:\n{lines}{more}\n{remedy}"
