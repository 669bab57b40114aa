"""The readers take every documented layout and name what is wrong with a bad one."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from distill.index import Index, read_index
from runtimes.errors import InputError

_COUNT = iter(range(1, 1000))


def picture() -> bytes:
    """A small PNG whose content no other has."""
    number = next(_COUNT)
    stream = io.BytesIO()
    Image.new("RGB", (6, 5), (number % 256, number // 256, 90)).save(stream, "PNG")
    return stream.getvalue()


def put(path: Path, content: bytes | str = b"") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        path.write_bytes(content or picture())


def labelled(root: Path, rows: str, images: str, header: str = "image,diagnosis,lesion_id") -> Path:
    put(root / "labels.csv", f"{header}\n{rows}")
    for name in images.split():
        put(root / "images" / name)
    return root


def by_image(index: Index) -> dict[str, tuple[str, str]]:
    return {r.image: (index.classes[r.label], r.lesion) for r in index.records}


def official(root: Path, truth: str, metadata: str | None = None, images: str = "") -> Path:
    put(root / "ISIC_2019_Training_GroundTruth.csv", f"image,MEL,NV,BCC,UNK\n{truth}")
    if metadata is not None:
        header = "image,age_approx,anatom_site_general,lesion_id,sex"
        put(root / "ISIC_2019_Training_Metadata.csv", f"{header}\n{metadata}")
    for name in images.split():
        put(root / "ISIC_2019_Training_Input" / f"{name}.jpg")
    put(root / "ISIC_2019_Training_Input" / "LICENSE.txt", "not an image")
    return root


THREE = "a,1.0,0.0,0.0,0.0\nb,0.0,1.0,0.0,0.0\nc,0.0,0.0,1.0,0.0\n"


def test_official_download_is_read_with_its_metadata(tmp_path: Path) -> None:
    metadata = "a,55.0,head/neck,HAM_0000001,male\nb,,,BCN_0000002,\nc,30,,,female\n"
    index = read_index(official(tmp_path, THREE, metadata, "a b c"))
    assert index.classes == ("MEL", "NV", "BCC")
    assert by_image(index) == {
        "a": ("MEL", "HAM_0000001"),
        "b": ("NV", "BCN_0000002"),
        "c": ("BCC", ""),
    }
    first = index.records[0]
    assert (first.age, first.site, first.sex, first.source) == (55, "head/neck", "male", "HAM10000")
    assert not index.synthetic


def test_an_image_twice_in_the_metadata_is_refused(tmp_path: Path) -> None:
    metadata = "a,55,,HAM_0000001,\nb,,,,\nc,,,,\na,55,,HAM_0000002,\n"
    with pytest.raises(InputError, match=r"Metadata\.csv, line 5: the image 'a'.*second time"):
        read_index(official(tmp_path, THREE, metadata, "a b c"))


def test_official_images_may_stay_in_their_zip(tmp_path: Path) -> None:
    official(tmp_path, THREE)
    (tmp_path / "ISIC_2019_Training_Input" / "LICENSE.txt").unlink()
    (tmp_path / "ISIC_2019_Training_Input").rmdir()
    with zipfile.ZipFile(tmp_path / "ISIC_2019_Training_Input.zip", "w") as archive:
        for name in "abc":
            archive.writestr(f"ISIC_2019_Training_Input/{name}.jpg", picture())
    assert len(read_index(tmp_path).records) == 3


def test_images_of_the_class_unk_are_left_out_and_said(tmp_path: Path) -> None:
    index = read_index(official(tmp_path, THREE + "d,0,0,0,1\n", None, "a b c d"))
    assert [record.image for record in index.records] == ["a", "b", "c"]
    assert any("UNK" in warning and "d" in warning for warning in index.warnings)


@pytest.mark.parametrize(
    ("row", "fault"),
    [("d,0,0,0,0", "sums to 0"), ("d,1,0,1,0", "sums to 2"), ("d,0.5,0.5,0,0", "expected 0 or 1")],
)
def test_a_row_that_is_not_one_hot_is_named(tmp_path: Path, row: str, fault: str) -> None:
    official(tmp_path, f"{THREE}{row}\n", None, "a b c d")
    with pytest.raises(InputError, match=rf"line 5: .*'d'.*{fault}"):
        read_index(tmp_path)


def test_a_class_without_any_image_is_an_error(tmp_path: Path) -> None:
    official(tmp_path, "a,1,0,0,0\nb,0,1,0,0\n", None, "a b")
    with pytest.raises(InputError, match="class BCC has no image"):
        read_index(tmp_path)


def test_missing_metadata_is_warned_about(tmp_path: Path) -> None:
    index = read_index(official(tmp_path, THREE, None, "a b c"))
    assert any("lesions are unknown" in warning for warning in index.warnings)


def test_labels_csv_beside_a_folder(tmp_path: Path) -> None:
    index = read_index(labelled(tmp_path, "a,NV,L1\nb.png,MEL,\n", "a.png b.png"))
    assert index.classes == ("MEL", "NV")
    assert by_image(index) == {"a": ("NV", "L1"), "b": ("MEL", "")}
    assert index.records[0].source == "unknown"


def test_labels_csv_beside_several_zips_takes_the_fullest_and_says_so(tmp_path: Path) -> None:
    put(tmp_path / "labels.csv", "image,diagnosis\na,NV\nb,MEL\n")
    for name, members in (("full.zip", "ab"), ("part.zip", "a"), ("a_masks.zip", "ab")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member in members:
                archive.writestr(f"{member}.png", picture())
    index = read_index(tmp_path)
    assert Path(index.root).name == "full.zip"
    assert any("full.zip" in warning and "--images" in warning for warning in index.warnings)
    assert Path(read_index(tmp_path, "a_masks.zip").root).name == "a_masks.zip"
    assert Path(read_index(tmp_path / "full.zip").root).name == "full.zip"
    with pytest.raises(InputError, match=r"It has: full\.zip, part\.zip"):
        read_index(tmp_path, "other.zip")


def test_equally_full_zips_must_be_chosen_between(tmp_path: Path) -> None:
    put(tmp_path / "labels.csv", "image,diagnosis\na,NV\nb,MEL\n")
    for name in ("one.zip", "two.zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("a.png", picture())
            archive.writestr("b.png", picture())
    with pytest.raises(InputError, match=r"--images one\.zip"):
        read_index(tmp_path)


def test_labels_without_images_and_images_without_labels(tmp_path: Path) -> None:
    labelled(tmp_path, "a,NV,\nb,MEL,\nlost,NV,\n", "a.png b.png")
    with pytest.raises(InputError, match=r"1 labels .*lost.*--skip-unmatched"):
        read_index(tmp_path)
    put(tmp_path / "images" / "lost.png")
    put(tmp_path / "images" / "extra.png")
    with pytest.raises(InputError, match=r"1 images .*extra.*--skip-unmatched"):
        read_index(tmp_path)
    index = read_index(tmp_path, skip_unmatched=True)
    assert [record.image for record in index.records] == ["a", "b", "lost"]
    assert any("extra" in warning for warning in index.warnings)


def test_skipping_does_not_hide_that_nothing_matches(tmp_path: Path) -> None:
    labelled(tmp_path, "x,NV,\ny,MEL,\n", "a.png b.png")
    with pytest.raises(InputError, match="2 labels"):
        read_index(tmp_path, skip_unmatched=True)


@pytest.mark.parametrize(
    ("rows", "header", "fault"),
    [
        ("a,NV,\na,MEL,\nb,MEL,\n", "image,diagnosis,lesion_id", "line 3: .*'a'.*second time"),
        ("a,,\nb,MEL,\n", "image,diagnosis,lesion_id", "line 2: 'a' has no diagnosis"),
        ("a,NV,\nb,nv,\n", "image,diagnosis,lesion_id", "'nv' differs from 'NV'"),
        ("a,NV,\nb,NV,\n", "image,diagnosis,lesion_id", "only the class NV"),
        ("a,NV,x\nb,MEL,50\n", "image,diagnosis,age_approx", "line 2: the age 'x'"),
        ("a,NV\nb,MEL,,\n", "image,diagnosis,lesion_id", "line 2: 2 cells"),
        ("a,NV,\nb,MEL,\n", "image,class,lesion_id", "lacks the column 'diagnosis'"),
        ("", "image,diagnosis", "no rows"),
        ("a;NV;\nb;MEL;\n", "image;diagnosis;lesion_id", "separated by semicolons"),
        ("a\tNV\nb\tMEL\n", "image\tdiagnosis", "separated by tabs"),
        ('a,NV,\nb,"MEL,\n', "image,diagnosis,lesion_id", "line 3: .*quotation mark"),
        ('a,"NV,\nb,MEL",\n', "image,diagnosis,lesion_id", "line 2: .*over the end of the line"),
        ('a,"N"V,\nb,MEL,\n', "image,diagnosis,lesion_id", "line 2: .*quotation mark"),
    ],
)
def test_a_bad_label_file_is_named_with_its_line(
    tmp_path: Path, rows: str, header: str, fault: str
) -> None:
    labelled(tmp_path, rows, "a.png b.png", header)
    with pytest.raises(InputError, match=rf"labels\.csv.*{fault}"):
        read_index(tmp_path)


def test_a_class_beside_those_of_isic_is_warned_about(tmp_path: Path) -> None:
    index = read_index(labelled(tmp_path, "a,NV,\nb,NEV,\n", "a.png b.png"))
    assert index.classes == ("NV", "NEV")
    assert any("NEV" in warning and "mistyped" in warning for warning in index.warnings)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    labelled(tmp_path, "a,NV,\nb,MEL,\n", "a.png a.jpg b.png")
    with pytest.raises(InputError, match="two files for the image 'a'"):
        read_index(tmp_path)


def test_image_folder_tree(tmp_path: Path) -> None:
    for name in ("MEL/1.png", "NV/1.png", "NV/spot/1.png", "NV/spot/2.JPG", "NV/.hidden.png"):
        put(tmp_path / name)
    index = read_index(tmp_path)
    assert by_image(index) == {
        "MEL/1.png": ("MEL", ""),
        "NV/1.png": ("NV", ""),
        "NV/spot/1.png": ("NV", "NV/spot"),
        "NV/spot/2.JPG": ("NV", "NV/spot"),
    }


def test_image_folder_tree_in_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "tree.zip", "w") as archive:
        archive.writestr("MEL/1.png", picture())
        archive.writestr("NV/1.png", picture())
    assert read_index(tmp_path / "tree.zip").classes == ("MEL", "NV")


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        ("train/MEL/1.png test/MEL/1.png", "sides of a split"),
        ("MEL/1.png NV/1.png loose.png", r"loose\.png.*--skip-unmatched"),
        ("MEL/1.png NV/1.png SCC/note.txt", "SCC has no images"),
        ("MEL/1.png", "only the class MEL"),
    ],
)
def test_a_bad_image_folder_tree_is_explained(tmp_path: Path, names: str, fault: str) -> None:
    for name in names.split():
        put(tmp_path / name)
    with pytest.raises(InputError, match=fault):
        read_index(tmp_path)


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "x/../../a.png"])
def test_a_zip_that_points_outside_is_refused(tmp_path: Path, name: str) -> None:
    put(tmp_path / "labels.csv", "image,diagnosis\na,NV\nb,MEL\n")
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.writestr(name, picture())
        archive.writestr("b.png", picture())
    with pytest.raises(InputError, match="refused"):
        read_index(tmp_path)


def test_a_broken_zip_is_named(tmp_path: Path) -> None:
    put(tmp_path / "labels.csv", "image,diagnosis\na,NV\nb,MEL\n")
    put(tmp_path / "images.zip", b"PK\x03\x04 truncated")
    with pytest.raises(InputError, match=r"images\.zip is no readable zip"):
        read_index(tmp_path)


def test_unknown_layouts_are_listed_against_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none of the known layouts.*labels\.csv"):
        read_index(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        read_index(tmp_path / "nowhere")


def test_a_broken_zip_beside_good_images_is_told_and_left_alone(tmp_path: Path) -> None:
    root = labelled(tmp_path, "a,MEL,\nb,NV,\n", "a.png b.png")
    put(root / "other.zip", b"PK no zip at all")
    index = read_index(root)
    assert len(index.records) == 2
    assert any("other.zip" in warning for warning in index.warnings)


def test_a_broken_zip_alone_is_the_error(tmp_path: Path) -> None:
    put(tmp_path / "labels.csv", "image,diagnosis\na,MEL\n")
    put(tmp_path / "images.zip", b"PK no zip at all")
    with pytest.raises(InputError, match=r"images\.zip"):
        read_index(tmp_path)


@pytest.mark.parametrize("name", ["Labels.csv", "labels.xlsx"])
def test_a_label_file_of_almost_the_right_name_is_pointed_out(tmp_path: Path, name: str) -> None:
    put(tmp_path / name, "image,diagnosis\na,MEL\n")
    with pytest.raises(InputError, match=f"{name} may be meant: save it as labels.csv"):
        read_index(tmp_path)
