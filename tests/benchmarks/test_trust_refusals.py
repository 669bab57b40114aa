"""What `benchmarks trust` refuses, by name and before anybody is asked."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.trust import files as measuring
from benchmarks.trust.fit import check_classes
from benchmarks.trust.images import read_masks
from benchmarks.trust.leave_out import without_class
from benchmarks.trust.masks import open_masks
from benchmarks.trust.question import named_networks
from distill.dataset import Dataset
from runtimes.errors import InputError
from runtimes.prediction import foreign_prediction

from .conftest import Exported
from .trust_calls import run, setting_of

pytestmark = pytest.mark.slow


def test_a_held_out_class_is_in_no_side_and_in_no_class(dataset: Dataset) -> None:
    reduced = without_class(dataset, "DF")
    assert "DF" not in reduced.index.classes
    label = dataset.index.classes.index("DF")
    own = {record.image for record in dataset.index.records if record.label == label}
    assert own
    for side in ("train", "validation", "test"):
        assert not own & set(reduced.ids(side))
        assert set(reduced.ids(side)) == set(dataset.ids(side)) - own
        kept = [dataset.index.classes[k] for k in dataset.labels(side) if k != label]
        assert kept == [reduced.index.classes[k] for k in reduced.labels(side)]
    with pytest.raises(InputError, match="NEV cannot be held out"):
        without_class(dataset, "NEV")


def test_a_class_without_validation_images_is_named(
    exported: Exported, dataset: Dataset, tmp_path: Path
) -> None:
    label = dataset.index.classes.index("VASC")
    labels = dataset.labels("validation")
    few = tuple(i for i, k in zip(dataset.ids("validation"), labels, strict=True) if k != label)
    without = replace(dataset, split=replace(dataset.split, validation=few))
    setting = setting_of(exported, without, tmp_path)
    with pytest.raises(InputError, match="no image of VASC"):
        check_classes(setting)


def _png(size: tuple[int, int], value: int) -> bytes:
    stream = io.BytesIO()
    Image.new("1", size, value).save(stream, "PNG")
    return stream.getvalue()


def test_bad_masks_are_named(dataset: Dataset, tmp_path: Path) -> None:
    ids = dataset.ids("test")[:4]
    contents = (_png((40, 40), 1), _png((40, 40), 0), b"no picture")
    with zipfile.ZipFile(tmp_path / "masks.zip", "w") as archive:
        for image, content in zip(ids, contents, strict=False):
            archive.writestr(f"{image}_segmentation.png", content)
    masks = open_masks(tmp_path / "masks.zip")
    assert masks.of(ids) == ids[:3]
    (whole,) = read_masks(dataset, masks, ids[:1])
    assert whole.shape == (40, 40)
    assert whole.all()
    with pytest.raises(InputError, match=f"{ids[1]}.*no pixel of this mask is lesion"):
        read_masks(dataset, masks, ids[1:2])
    with pytest.raises(InputError, match=f"{ids[2]}.*cannot be read"):
        read_masks(dataset, masks, ids[2:3])
    with pytest.raises(InputError, match=f"no mask of the image {ids[3]}"):
        read_masks(dataset, masks, ids[3:])
    # an image of 4:3, whose mask is of its middle
    with pytest.raises(InputError, match="40×40 pixels, its image 400×300"):
        masks.read(ids[0], 40, (400, 300))
    with pytest.raises(InputError, match="there are no masks here"):
        open_masks(tmp_path / "nothing")
    (tmp_path / "broken.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match="no zip of masks"):
        open_masks(tmp_path / "broken.zip")


def test_a_model_without_class_maps_is_named(tmp_path: Path) -> None:
    class Foreign:
        contract = None

        def predict(self, images: np.ndarray):  # type: ignore[no-untyped-def]
            return foreign_prediction(np.full((len(images), 3), 1 / 3))

    with pytest.raises(InputError, match="no output `cam`"):
        measuring.check_outputs(tmp_path / "foreign.onnx", Foreign())  # type: ignore[arg-type]


@pytest.mark.parametrize("words", [["teacher"], ["=x"], ["a=b", "a=c"], ["a/b=c"]])
def test_networks_are_named_once_each_with_a_folder(words: list[str]) -> None:
    with pytest.raises(InputError, match="--run"):
        named_networks(words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--images", "3"], "--images is 3, expected 20 or more"),
        (["--run", "teacher=nowhere"], "names nowhere, which is no folder"),
        (["--artifacts", "nowhere"], "manifest.json"),
        (["--leave-out", "nowhere"], "--leave-out nowhere is no folder"),
        (["--only", "onnx:int8"], "--only chooses among exported files, and none are named"),
        (["--run", "no_kd=runs"], "no_kd is the method of"),
        (["--work", "out/work", "--out", "out"], "lie in each other; name another --work"),
    ],
)
def test_wrong_words_are_refused_before_images_are_decoded(
    exported: Exported,
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("distill.dataset.open_dataset", None)
    assert run("trust", exported.run, *words) == 2
    assert said in capsys.readouterr().err


def test_files_of_another_student_or_format_are_refused_first(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--artifacts", exported.artifacts, "--out", tmp_path / "out"]
    assert run("trust", exported.run, *words, "--only", "tflite") == 2
    said = capsys.readouterr().err
    assert "has none of tflite:fp32, tflite:fp16, tflite:int8; it has onnx:fp32, onnx:int8" in said
    shutil.copytree(exported.artifacts, tmp_path / "other")
    manifest = tmp_path / "other" / "manifest.json"
    document = json.loads(manifest.read_text())
    document["student"]["sha256"] = "0" * 64
    manifest.write_text(json.dumps(document))
    words = ["--artifacts", tmp_path / "other", "--out", tmp_path / "out"]
    assert run("trust", exported.run, *words) == 2
    assert "was exported from another student" in capsys.readouterr().err


def test_a_network_of_another_split_is_refused_before_it_is_asked(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    released = Path(__file__).parents[2] / "models" / "mobilenet_v2-ssd_kd"
    words = ["--run", f"ssd_kd={released}", "--work", tmp_path / "work", "--out", tmp_path / "out"]
    assert run("trust", exported.run, *words) == 2
    assert "(ssd_kd) was trained on another split" in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


def test_students_that_never_saw_a_class_do_not_go_into_the_run(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(exported.run, tmp_path / "run"))
    before = sorted(copy.iterdir())
    assert run("leave-out", copy, "--out", copy / "leave_out") == 2
    assert "lie in each other; name another --out" in capsys.readouterr().err
    assert sorted(copy.iterdir()) == before


def test_results_replace_nothing_else(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    assert run("trust", exported.run, "--out", tmp_path) == 2
    assert "thesis.txt" in capsys.readouterr().err
