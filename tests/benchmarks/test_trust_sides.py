"""Which images are asked about and what is kept of the answers, on the synthetic sample."""

from __future__ import annotations

import io
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.trust.ask import Setting, held_out_groups
from benchmarks.trust.fit import check_classes
from benchmarks.trust.groups_part import _worst_group, measure_groups
from benchmarks.trust.images import (
    CHOOSING,
    REPORTING,
    Amounts,
    _shape,
    cached,
    drawn_ids,
    fit_ids,
    read_masks,
    side_rows,
    unanswerable,
)
from benchmarks.trust.kept import Kept, check_work
from benchmarks.trust.leave_out import without_class
from benchmarks.trust.masks import open_masks
from benchmarks.trust.pictures import Photos, bundled_photos, photo_crops
from benchmarks.trust.question import held_out_folders, weights_of
from benchmarks.trust.scene import make_scene
from benchmarks.trust.variants import CHANGES
from distill.dataset import Dataset
from runtimes.errors import InputError
from runtimes.metadata import read_contract

CODES = ["MEL", "NV", "DF"]
RELEASED = Path(__file__).parents[2] / "models" / "mobilenet_v2-ssd_kd"


@pytest.fixture
def dataset(sample: Dataset) -> Dataset:
    return sample


def setting(dataset: Dataset, work: Path, amounts: Amounts | None = None) -> Setting:
    masks = open_masks(dataset.source / "masks")
    few = amounts or Amounts(pictures=6, masked=9)
    return Setting(dataset, read_contract(RELEASED), few, masks, bundled_photos(), Kept(work))


def test_scores_are_fitted_on_training_images_of_every_class(dataset: Dataset) -> None:
    found = fit_ids(dataset, Amounts(fit=3))
    assert set(found) <= set(dataset.ids("train"))
    label = {record.image: record.label for record in dataset.index.records}
    counts = np.bincount([label[image] for image in found])
    assert counts.tolist() == [3] * len(dataset.index.classes)


def test_part_of_a_side_is_drawn_without_order_and_stands_in_order(dataset: Dataset) -> None:
    count = len(dataset.ids(REPORTING))
    assert side_rows(dataset, REPORTING, Amounts()).tolist() == list(range(count))
    rows = side_rows(dataset, REPORTING, Amounts(side=20))
    assert len(set(rows.tolist())) == 20
    assert rows.tolist() == sorted(rows.tolist()) != list(range(20))


def test_pictures_to_choose_by_are_none_of_those_reported(dataset: Dataset, tmp_path: Path) -> None:
    asked = setting(dataset, tmp_path)
    made = {side: asked.unanswerable(side) for side in (CHOOSING, REPORTING)}
    assert list(made[CHOOSING]) == list(made[REPORTING])
    for kind in made[CHOOSING]:
        first, second = (
            {image.tobytes() for image in made[side][kind]} for side in (CHOOSING, REPORTING)
        )
        assert first
        assert not first & second, kind
    # blurred lesions are those of the side itself
    own = cached(dataset, drawn_ids(dataset.ids(REPORTING), 6, 0))
    for image, blurred in zip(own, made[REPORTING]["blurred"], strict=True):
        assert np.abs(image.mean(axis=(0, 1)) - blurred.mean(axis=(0, 1))).max() < 10
    few = Amounts(pictures=6)
    others = unanswerable(dataset, REPORTING, few, asked.photos.choosing, None)
    assert "non-lesion skin" not in others


def test_a_scene_has_test_images_and_finds_its_threshold_on_validation_images(
    dataset: Dataset, tmp_path: Path
) -> None:
    asked = setting(dataset, tmp_path)
    found = make_scene(asked)
    assert set(found.ids) <= set(dataset.ids(REPORTING))
    assert len(found.ids) == 9
    group = {record.image: record.group for record in dataset.index.records}
    assert found.groups == [group[image] for image in found.ids]
    assert np.array_equal(found.pictures["clean"], np.stack(cached(dataset, found.ids)))
    assert asked.masks is not None
    assert np.array_equal(found.masks, np.stack(read_masks(dataset, asked.masks, found.ids)))
    validation = {image.tobytes() for image in cached(dataset, dataset.ids(CHOOSING))}
    assert len(found.choosing) == 3
    assert {image.tobytes() for image in found.choosing} <= validation
    for name, pixels in found.pasted.items():
        change = np.abs(found.pictures[name].astype(int) - found.pictures["clean"]).max(axis=3)
        assert pixels.any(axis=(1, 2)).all(), name
        assert (change[pixels] >= 8).all()
        assert (change[~pixels] < 8).all()


def test_a_held_out_classs_lesions_stand_in_the_order_of_its_images(dataset: Dataset) -> None:
    label = dataset.index.classes.index("DF")
    own = [
        group
        for side in ("test", "train")
        for group, number in zip(dataset.groups(side), dataset.labels(side), strict=True)
        if number == label
    ]
    assert held_out_groups(dataset, "DF") == own
    validation = {
        group
        for group, number in zip(dataset.groups(CHOOSING), dataset.labels(CHOOSING), strict=True)
        if number == label
    }
    assert validation
    assert not validation & set(own)  # those are for choosing


def test_classes_without_images_are_named(dataset: Dataset, tmp_path: Path) -> None:
    check_classes(setting(dataset, tmp_path))

    def without(side: str, code: str) -> Dataset:
        label = dataset.index.classes.index(code)
        kept = tuple(
            image
            for image, number in zip(dataset.ids(side), dataset.labels(side), strict=True)
            if number != label
        )
        return replace(dataset, split=replace(dataset.split, **{side: kept}))

    with pytest.raises(InputError, match="validation side has no image of VASC"):
        check_classes(setting(without(CHOOSING, "VASC"), tmp_path))
    check_classes(setting(without(REPORTING, "VASC"), tmp_path))
    with pytest.raises(InputError, match="test side has no image of MEL"):
        check_classes(setting(without(REPORTING, "MEL"), tmp_path))
    check_classes(setting(without_class(dataset, "MEL"), tmp_path))  # no operating points then


def test_the_worst_group_has_the_fewest_melanomas_found() -> None:
    def row(name: str, found: float | None, melanomas: int = 20) -> dict[str, Any]:
        told = {"value": found, "low": found, "high": found}
        return {
            **{"by": "sex", "group": name, "images": 60, "melanomas": melanomas},
            **{"alert_sensitivity": told, "alert_specificity": told},
        }

    rows = [row("a", 0.9), row("b", 0.7), row("unknown", 0.1), row("few", 0.2, 19), row("c", None)]
    found = _worst_group(rows)
    assert found is not None
    assert (found["group"], found["melanomas"]) == ("b", 20)
    assert _worst_group(rows[2:]) is None


def test_a_mask_of_another_framing_is_refused(tmp_path: Path) -> None:
    Image.new("L", (40, 30), 255).save(tmp_path / "A.png")
    assert _shape((tmp_path / "A.png").read_bytes()) == (40, 30)
    masks = open_masks(tmp_path)
    assert masks.read("A", 32, (400, 300)).all()
    assert masks.read("A", 32, (84, 84)).all()  # an image that may have been squashed already
    with pytest.raises(InputError, match="40×30 pixels, its image 300×400"):
        masks.read("A", 32, (300, 400))


def test_a_left_out_class_is_on_no_side(dataset: Dataset) -> None:
    reduced = without_class(dataset, "DF")
    assert reduced.index.classes == tuple(c for c in dataset.index.classes if c != "DF")
    name = {record.image: dataset.index.classes[record.label] for record in dataset.index.records}
    for side in ("train", CHOOSING, REPORTING):
        assert reduced.ids(side) == tuple(i for i in dataset.ids(side) if name[i] != "DF")
        codes = [reduced.index.classes[k] for k in reduced.labels(side)]
        assert codes == [name[image] for image in reduced.ids(side)]


def test_groups_are_measured_at_the_operating_point(dataset: Dataset) -> None:
    rng = np.random.default_rng(0)
    target = dataset.labels("test")
    probabilities = rng.dirichlet(np.ones(len(dataset.index.classes)), len(target))
    accepted, alert = rng.random(len(target)) < 0.8, 0.15
    found = measure_groups(dataset, probabilities, accepted, alert)
    records = {record.image: record for record in dataset.index.records}
    sex = np.array([records[image].sex or "unknown" for image in dataset.ids("test")])
    column = dataset.index.classes.index("MEL")
    told = [row for row in found["rows"] if row["by"] == "sex" and "called_unknown" in row]
    assert told
    for row in told:
        own = sex == row["group"]
        called, melanoma = probabilities[:, column] >= alert, target == column
        right = probabilities.argmax(axis=1) == target
        over = probabilities.max(axis=1)[own].mean() - right[own].mean()
        assert row["overconfidence"]["value"] == pytest.approx(over)
        assert row["called_unknown"] == pytest.approx((~accepted[own]).mean())
        sensitivity = called[own & melanoma].mean()
        assert row["alert_sensitivity"]["value"] == pytest.approx(sensitivity)
        specificity = (~called[own & ~melanoma]).mean()
        assert row["alert_specificity"]["value"] == pytest.approx(specificity)


def test_answers_about_other_masks_or_photos_are_not_taken_for_new_ones(
    dataset: Dataset, tmp_path: Path
) -> None:
    asked = setting(dataset, tmp_path)
    before = asked.about("weights")
    shutil.copytree(dataset.source / "masks", tmp_path / "masks")
    same = replace(asked, masks=open_masks(tmp_path / "masks"))
    assert same.about("weights") == before
    first = sorted((tmp_path / "masks").iterdir())[0]
    Image.new("L", (32, 32), 255).save(first)
    assert replace(asked, masks=open_masks(tmp_path / "masks")).about("weights") != before
    photos = bundled_photos()
    (name, picture), *_ = photos.reporting.items()
    turned = Photos(photos.choosing, {**photos.reporting, name: picture.rotate(180)})
    assert replace(asked, photos=turned).about("weights") != before
    assert replace(asked, photos=bundled_photos()).about("weights") == before
    assert replace(asked, masks=None).about("weights") != before
    assert asked.about("others") != before


def _png(value: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (32, 32), value).save(stream, "PNG")
    return stream.getvalue()


def test_masks_of_a_zip_are_told_apart_by_content(tmp_path: Path) -> None:
    def written(name: str, entries: dict[str, bytes]) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for entry, content in entries.items():
                archive.writestr(entry, content)
        return tmp_path / name

    first = open_masks(written("a.zip", {"A.png": _png(255), "B.png": _png(255)}))
    same = open_masks(written("b.zip", {"B.png": _png(255), "A.png": _png(255)}))
    other = open_masks(written("c.zip", {"A.png": _png(254), "B.png": _png(255)}))
    assert first.sha256 == same.sha256 != other.sha256
    packed = {"A.png": _png(255), "__MACOSX/._A.png": b"", "m/._B.png": b"", "m/B.png": _png(9)}
    found = open_masks(written("mac.zip", packed))
    assert found.names == {"A": "A.png", "B": "m/B.png"}
    with pytest.raises(InputError, match=r"B\.png: no pixel.*its brightest is 9, expected 255"):
        found.read("B", 32)
    for second in ("b/A.png", "A_segmentation.png"):
        path = written("double.zip", {"A.png": _png(255), second: _png(255)})
        with pytest.raises(InputError, match=r"double.zip has two masks of the image A: .*"):
            open_masks(path)
    with pytest.raises(InputError, match="leads out of the archive"):
        open_masks(written("hostile.zip", {"../A.png": _png(255)}))
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="none holds no mask; expected files called IMAGE"):
        open_masks(tmp_path / "none")


def test_a_photo_smaller_than_its_pieces_is_named() -> None:
    photos = {"large.jpg": Image.new("RGB", (80, 60)), "icon.png": Image.new("RGB", (90, 31))}
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match=r"icon\.png: the photo has 90×31 pixels, expected 32"):
        photo_crops(photos, 4, 32, rng)
    del photos["icon.png"]
    assert [piece.shape for piece in photo_crops(photos, 4, 32, rng)] == [(32, 32, 3)] * 4
    with pytest.raises(InputError, match="no photo"):
        photo_crops({}, 4, 32, rng)


def test_answers_are_not_kept_where_they_would_be_lost(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    check_work(tmp_path / "new" / "work", tmp_path / "out")
    for work, out in (("out/work", "out"), ("work", "work/out"), ("out", "out")):
        with pytest.raises(InputError, match="lie in each other; name another --work or --out"):
            check_work(tmp_path / work, tmp_path / out)
    with pytest.raises(InputError, match="is a file, expected a folder for answers"):
        check_work(tmp_path / "file" / "work", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_folders_of_held_out_students_are_called_after_classes(tmp_path: Path) -> None:
    assert held_out_folders(None, CODES) == []
    with pytest.raises(InputError, match="is no folder"):
        held_out_folders(tmp_path / "nowhere", CODES)
    with pytest.raises(InputError, match="holds no finished student"):
        held_out_folders(tmp_path, CODES)
    for name in ("DF", "NV"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "student.safetensors").touch()
    (tmp_path / "VASC").mkdir()  # not finished
    assert [path.name for path in held_out_folders(tmp_path, CODES)] == ["DF", "NV"]
    (tmp_path / "ssd_kd").mkdir()
    (tmp_path / "ssd_kd" / "student.safetensors").touch()
    with pytest.raises(InputError, match=r"ssd_kd is not called after a class \(MEL, NV, DF\)"):
        held_out_folders(tmp_path, CODES)
    with pytest.raises(InputError, match="holds neither"):
        weights_of(tmp_path)


def test_each_change_does_what_its_name_says() -> None:
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(60, 160, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    made = {name: change(image) for name, change in CHANGES.items()}
    assert all(each.shape == image.shape and each.dtype == np.uint8 for each in made.values())
    assert np.array_equal(made["rotation 90°"], np.rot90(image))
    assert np.array_equal(made["rotation 180°"], image[::-1, ::-1])
    assert np.array_equal(made["flip left-right"], image[:, ::-1])
    assert np.array_equal(made["flip up-down"], image[::-1])
    for factor in (0.7, 0.85, 1.15, 1.3):
        bright = made[f"brightness ×{factor:g}"].mean() / image.mean()
        assert bright == pytest.approx(factor, abs=0.01)

    def distance(name: str) -> float:
        return float(np.abs(made[name].astype(float) - image).mean())

    assert distance("JPEG quality 90") < distance("JPEG quality 75") < distance("JPEG quality 50")
    blurs = [distance(f"focus blur σ {share} %") for share in ("0.5", "1", "2")]
    assert blurs == sorted(blurs)
    assert blurs[0] < blurs[2]
