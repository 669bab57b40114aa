"""Images are found in files, folders and zips; archives that lead elsewhere are refused."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from runtimes.errors import InputError
from runtimes.image_files import list_images


def make_zip(path: Path, names: list[str], content: bytes = b"pixels") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return path


def test_folders_and_zips_give_their_images_in_order_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "deep" / ".hidden").mkdir(parents=True)
    for name in ("b.JPG", "a.png", "labels.csv", "deep/c.webp", "deep/.hidden/d.bmp", "._b.jpg"):
        (folder / name).write_bytes(name.encode())
    archive = make_zip(tmp_path / "more.zip", ["z.jpg", "y/x.png", "__MACOSX/z.jpg", "notes.txt"])
    listed = list_images([folder, archive, folder / "labels.csv"])
    found = {image.name: image.read() for image in listed}
    names = [name.removeprefix(f"{tmp_path.as_posix()}/") for name in found]
    assert names == [
        "photos/a.png",
        "photos/b.JPG",
        "photos/deep/c.webp",
        "more.zip/y/x.png",
        "more.zip/z.jpg",
        "photos/labels.csv",
    ]
    assert found[(folder / "a.png").as_posix()] == b"a.png"
    assert found[f"{archive.as_posix()}/z.jpg"] == b"pixels"


def test_a_file_named_twice_is_taken_once(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    assert len(list_images([tmp_path, tmp_path / "a.jpg"])) == 1


@pytest.mark.parametrize(
    "name", ["../evil.jpg", "a/../../evil.jpg", "/etc/evil.jpg", "..\\evil.jpg"]
)
def test_entries_that_lead_out_of_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    archive = make_zip(tmp_path / "a.zip", ["good.jpg", name])
    with pytest.raises(InputError, match=r"a\.zip.*evil"):
        list_images([archive])


def test_links_in_an_archive_are_refused(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("link.jpg")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(InputError, match="link"):
        list_images([tmp_path / "a.zip"])


def test_an_entry_that_claims_too_much_is_refused_unread(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", ["bomb.png"])
    content = bytearray(archive.read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    archive.write_bytes(content)
    (image,) = list_images([archive])
    with pytest.raises(InputError, match=r"bomb\.png.*GiB"):
        image.read()


def test_a_damaged_entry_is_named_when_it_is_read(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", ["x.png"], b"0123456789" * 9)
    content = archive.read_bytes().replace(b"0123456789", b"0123456780", 1)
    archive.write_bytes(content)
    (image,) = list_images([archive])
    with pytest.raises(InputError, match=r"x\.png"):
        image.read()


def test_a_truncated_zip_is_named(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", ["x.png"], b"x" * 1000)
    archive.write_bytes(archive.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"a\.zip.*not a readable zip"):
        list_images([archive])


def test_missing_and_empty_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such"):
        list_images([tmp_path / "nowhere"])
    with pytest.raises(InputError, match="no image in it"):
        list_images([tmp_path])
    with pytest.raises(InputError, match="no image was named"):
        list_images([])


def test_a_photo_that_cannot_be_read_here_is_listed_and_not_passed_over(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.HEIC", "c.tif", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    names = [Path(image.name).name for image in list_images([tmp_path])]
    assert names == ["a.jpg", "b.HEIC", "c.tif"]
