"""Write a model's answers for images, folders or zips to a CSV file.

    python -m runtimes predict artifacts/NAME/NAME-int8.tflite lesion.jpg
    python -m runtimes predict NAME-fp32.onnx photos/ more.zip --out answers.csv
    python -m runtimes predict NAME-fp16.mlpackage lesion.png --threads 2

MODEL is a .tflite, .onnx or .mlpackage of dermport; images are JPEG, PNG, WebP or BMP. One row an
image: its name, a probability for each class, the diagnosis (the likeliest class, or "unknown"
where the unknown score is above the model's threshold), the unknown score, whether that was above
the threshold, the decision by the contract's rule ("unknown", "suspected MEL" where its probability
reaches the operating point, or the diagnosis), and the milliseconds that the network alone took. A
class whose code is also the name of another column stands under p(CODE). Images that cannot be read
are named and left out, and the exit code is then 2.

Research software, not a medical device.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path
from typing import TYPE_CHECKING

from runtimes.arguments import path, threads
from runtimes.atomic import check_output, replacing_file
from runtimes.console import note, progress, say, warn
from runtimes.errors import InputError

if TYPE_CHECKING:
    from runtimes.contract import Contract
    from runtimes.image_files import ImageFile
    from runtimes.prediction import Session

_OTHER_COLUMNS = ("diagnosis", "unknown", "is_unknown", "decision", "milliseconds")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of the verb."""
    parser.add_argument("model", metavar="MODEL", type=path, help=".tflite, .onnx or .mlpackage")
    parser.add_argument(
        "inputs", metavar="INPUT", type=path, nargs="+", help="an image, a folder or a zip"
    )
    parser.add_argument(
        "--out",
        type=path,
        default=Path("predictions.csv"),
        help="the CSV file to write",
    )
    parser.add_argument(
        "--threads",
        type=threads,
        default=1,
        help="CPU threads",
    )


def run(args: argparse.Namespace) -> None:
    """Predicts for all images and writes the CSV in one step."""
    from runtimes.image_files import list_images
    from runtimes.session import open_model

    check_output(args.out, ".csv")
    images = list_images(args.inputs)
    _refuse_to_overwrite(args.out, [args.model, *args.inputs])
    session = open_model(args.model, args.threads)
    note(f"{args.model}: {session.backend}. Research software, not a medical device.")
    bad = 0
    with replacing_file(args.out) as temporary:
        with temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
            bad = _write_rows(stream, session, images)
        if bad == len(images):
            raise InputError(
                f"none of the {bad} images could be read (each is named above); "
                f"{args.out} is not written."
            )
    say(f"{args.out}: {len(images) - bad} images")
    if bad:
        raise InputError(
            f"{bad} of {len(images)} images could not be read (each is named above). "
            f"The others are in {args.out}; mend or leave out those and run again."
        )


def _refuse_to_overwrite(out: Path, read: list[Path]) -> None:
    for used in read:
        if out.exists() and used.exists() and out.samefile(used):
            raise InputError(
                f"{out}: the CSV file would replace something that is read. Name another --out."
            )


def columns(contract: Contract) -> list[str]:
    """Returns the headings of the CSV for a model's classes."""
    taken = {"image", *_OTHER_COLUMNS}
    classes = [f"p({code})" if code in taken else code for code in contract.codes]
    return ["image", *classes, *_OTHER_COLUMNS]


def _write_rows(stream: object, session: Session, images: list[ImageFile]) -> int:
    """Writes a row for each image that can be read; returns the number of those that cannot."""
    import numpy as np

    from runtimes.decision import decide
    from runtimes.preprocess import load_image, preprocess

    contract = session.contract
    if contract is None:
        raise InputError("the model has no contract; only dermport's own files can be used here.")
    recipe, threshold = contract.preprocessing, contract.calibration.unknown_threshold
    rows = csv.writer(stream)  # type: ignore[arg-type]
    rows.writerow(columns(contract))
    # the first call also sets up memory and threads, which is not the network's time
    session.predict(np.zeros((1, recipe.size, recipe.size, 3), np.uint8))
    bad = 0
    with progress("images", len(images)) as counter:
        for image in images:
            counter.advance()
            try:
                picture = load_image(
                    image.read(), image.name, exif_orientation=recipe.exif_orientation
                )
            except InputError as error:
                warn(str(error))
                bad += 1
                continue
            pixels = preprocess(picture, recipe)[None]
            start = time.perf_counter()
            answer = session.predict(pixels)
            milliseconds = (time.perf_counter() - start) * 1e3
            probabilities, unknown = answer.probabilities[0], float(answer.unknown[0])
            is_unknown = not unknown <= threshold
            best = contract.codes[int(probabilities.argmax())]
            rows.writerow(
                [
                    image.name,
                    *(f"{probability:.6f}" for probability in probabilities),
                    "unknown" if is_unknown else best,
                    f"{unknown:.5f}",
                    "true" if is_unknown else "false",
                    decide(contract, probabilities.tolist(), unknown),
                    f"{milliseconds:.3f}",
                ]
            )
    return bad
