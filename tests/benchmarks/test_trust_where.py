"""Where networks looked: of maps that are known, in what they are compared with, and in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.trust import attention
from benchmarks.trust.claims import answers_to_the_article
from benchmarks.trust.scene import CLEAN, Scene
from benchmarks.trust.where import measure_where

SIDE, COUNT = 8, 24
INK = "ink"


def corner(row: int, column: int) -> np.ndarray:
    """A quarter of the image."""
    found = np.zeros((SIDE, SIDE), bool)
    found[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = True
    return found


LESION, ARTEFACT, ELSEWHERE = corner(0, 0), corner(1, 1), corner(0, 1)


def scene() -> Scene:
    def stacked(mask: np.ndarray, count: int = COUNT) -> np.ndarray:
        return np.broadcast_to(mask, (count, *mask.shape)).copy()

    pictures = stacked(np.zeros((SIDE, SIDE, 3), np.uint8))
    return Scene(
        ids=tuple(f"I{i}" for i in range(COUNT)),
        groups=[f"L{i // 2}" for i in range(COUNT)],
        pictures={CLEAN: pictures, INK: pictures},
        pasted={INK: stacked(ARTEFACT)},
        masks=stacked(LESION),
        choosing=pictures[:6],
        choosing_masks=stacked(LESION, 6),
    )


def answers(
    lesion: float, artefact: float, after: float, noise: float = 0.0, choosing: float = 0.0
) -> dict[str, np.ndarray]:
    """Maps with so much of their sum on the lesion and on the artefact's place, rest elsewhere.

    Args:
        lesion: share, clean.
        artefact: share, clean.
        after: share on the artefact once it is pasted; the lesion loses it.
        noise: of the shares, from image to image.
        choosing: what the map of validation images has beside the lesion, of its maximum.
    """
    rng = np.random.default_rng(0)

    def maps(on_lesion: float, on_artefact: float) -> np.ndarray:
        found = np.zeros((COUNT, SIDE, SIDE, 2), np.float32)
        shares = np.array([on_lesion, on_artefact]) + noise * rng.normal(0, 1, (COUNT, 2))
        for k, (first, second) in enumerate(shares):
            found[k, ..., 1] = first * LESION + second * ARTEFACT + (1 - first - second) * ELSEWHERE
        found[..., 0] = -5  # of the class that is not named
        return found

    logits = np.tile([[0.0, 1.0]], (COUNT, 1))
    chosen = np.zeros((6, SIDE, SIDE, 2), np.float32)
    chosen[..., 1] = LESION + choosing * ~LESION
    pasted = maps(lesion - (after - artefact), after)
    return {
        "choosing": chosen,
        "choosing|logits": logits[:6],
        CLEAN: maps(lesion, artefact),
        f"{CLEAN}|logits": logits,
        INK: pasted,
        f"{INK}|logits": logits,
    }


def measured(**networks: dict[str, np.ndarray]) -> dict[str, Any]:
    return measure_where(scene(), networks, np.ones(COUNT, int))


def test_energy_is_told_beyond_area_middle_and_what_was_there_before() -> None:
    found = measured(ssd_kd=answers(0.6, 0.1, 0.3))
    row = found["networks"]["ssd_kd"]
    assert found["lesions"] == 12
    assert found["lesion_share"]["area"]["value"] == 0.25
    assert row["clean"]["energy"]["value"] == pytest.approx(0.6)
    assert row["clean"]["pointing"]["value"] == 1
    assert row["beyond"]["area"]["value"] == pytest.approx(0.35)
    middle = found["baselines"]["middle"]["energy"]["value"]
    assert middle == pytest.approx(0.25)  # it is even in all four corners
    assert row["beyond"]["middle"]["value"] == pytest.approx(0.35)
    ink = row["artefacts"][INK]
    assert ink["energy_on_artefact"]["value"] == pytest.approx(0.3)
    assert ink["excess"]["value"] == pytest.approx(0.05)
    assert ink["drawn"]["value"] == pytest.approx(0.2)
    assert ink["loss"]["energy"]["value"] == pytest.approx(0.2)
    assert found["baselines"]["even"]["pointing"]["value"] == 0.25


def test_the_threshold_of_the_overlap_is_that_of_validation_images() -> None:
    # On test images a threshold of 0.05 marks all, above 1/6 the lesion alone.
    low = measured(ssd_kd=answers(0.6, 0.1, 0.1))["networks"]["ssd_kd"]
    assert low["threshold"] == pytest.approx(0.05)
    high = measured(ssd_kd=answers(0.6, 0.1, 0.1, choosing=0.72))["networks"]["ssd_kd"]
    assert high["threshold"] == pytest.approx(0.75)
    assert high["clean"]["iou"]["value"] == pytest.approx(1)
    assert low["clean"]["iou"]["value"] == pytest.approx(1 / 3)


def test_networks_are_told_apart_from_no_kd_and_agree_with_the_teacher() -> None:
    found = measured(
        ssd_kd=answers(0.6, 0.1, 0.1),
        no_kd=answers(0.5, 0.1, 0.3),
        teacher=answers(0.6, 0.1, 0.1),
    )
    assert set(found["differences"]) == {"ssd_kd minus no_kd", "teacher minus no_kd"}
    row = found["differences"]["ssd_kd minus no_kd"]
    assert row["energy"]["value"] == pytest.approx(0.1)
    assert row["energy on ink"]["value"] == pytest.approx(-0.2)
    networks = found["networks"]
    assert networks["ssd_kd"]["clean"]["agreement"]["value"] == pytest.approx(1)
    assert networks["no_kd"]["clean"]["agreement"]["value"] < 1
    assert networks["teacher"]["clean"]["agreement"]["value"] is None
    said = {each["claim"]: each["answer"] for each in answers_to_the_article(found)}
    assert said["ssd_kd looks at the lesion more than no_kd"] == "yes"
    assert said["ssd_kd looks at ink less than no_kd"] == "yes"


def test_the_contrary_is_said_where_it_is_so() -> None:
    found = measured(ssd_kd=answers(0.2, 0.1, 0.3), no_kd=answers(0.5, 0.1, 0.1))
    said = {each["claim"]: each["answer"] for each in answers_to_the_article(found)}
    assert said["ssd_kd looks at the lesion more than chance"] == "no, the contrary"
    middle = "ssd_kd looks at the lesion more than a map that always shows the middle"
    assert said[middle] == "no, the contrary"
    assert said["ssd_kd looks at the lesion more than no_kd"] == "no, the contrary"
    assert said["ssd_kd looks at ink less than no_kd"] == "no, the contrary"


@pytest.mark.parametrize(
    ("after", "noise", "answer"),
    [
        (0.100, 0.000, "yes"),
        (0.095, 0.002, "yes"),
        (0.150, 0.002, "no"),
        (0.105, 0.0005, "yes"),  # half a point of the map
        (0.100, 0.040, "not shown"),  # so far apart that a point could be hidden
    ],
)
def test_artefacts_are_not_looked_at_only_where_that_is_shown(
    after: float, noise: float, answer: str
) -> None:
    found = measured(ssd_kd=answers(0.6, 0.1, after, noise))
    said = {each["claim"]: each for each in answers_to_the_article(found)}
    claim = said["ssd_kd does not look at hair, rulers, gel bubbles or ink"]
    assert claim["answer"] == answer
    drawn = found["networks"]["ssd_kd"]["artefacts"][INK]["drawn"]
    assert f"ink: {100 * drawn['value']:+.1f} (" in claim["evidence"]


def test_a_comparison_that_could_be_either_way_shows_no_difference() -> None:
    found = measured(ssd_kd=answers(0.25, 0.1, 0.1, noise=0.1), no_kd=answers(0.25, 0.1, 0.1))
    said = {each["claim"]: each["answer"] for each in answers_to_the_article(found)}
    assert said["ssd_kd looks at the lesion more than chance"] == "no difference shown"
    assert said["ssd_kd looks at the lesion more than no_kd"] == "no difference shown"
    # area and middle are told apart
    found["networks"]["ssd_kd"]["beyond"]["middle"] = {"value": -0.3, "low": -0.4, "high": -0.2}
    said = {each["claim"]: each for each in answers_to_the_article(found)}
    claim = said["ssd_kd looks at the lesion more than a map that always shows the middle"]
    assert claim["answer"] == "no, the contrary"
    assert claim["evidence"].endswith("-30.0 (-40.0 to -20.0) points")


def test_diagnoses_are_held_against_the_truth_and_against_the_clean_image() -> None:
    given = answers(0.6, 0.1, 0.1)
    given[f"{INK}|logits"] = given[f"{INK}|logits"].copy()
    given[f"{INK}|logits"][:6] = [1.0, 0.0]
    given[INK][..., 0] = given[INK][..., 1]
    target = np.r_[np.zeros(18, int), np.ones(6, int)]
    row = measure_where(scene(), {"ssd_kd": given}, target)["networks"]["ssd_kd"]
    assert row["accuracy"]["value"] == pytest.approx(6 / 24)
    assert row["artefacts"][INK]["same_diagnosis"]["value"] == pytest.approx(18 / 24)


def test_without_its_comparison_a_claim_is_not_measured() -> None:
    said = answers_to_the_article(measured(ssd_kd=answers(0.6, 0.1, 0.1)))
    assert said[-1]["answer"] == "not measured"
    assert answers_to_the_article(measured(no_kd=answers(0.6, 0.1, 0.1))) == []


def test_a_map_that_is_nowhere_positive_is_counted_and_not_measured() -> None:
    blind = {
        key: value if "logits" in key else -np.abs(value)
        for key, value in answers(0.6, 0.1, 0.1).items()
    }
    found = measured(ssd_kd=blind)
    assert found["networks"]["ssd_kd"]["without_map"] == COUNT
    assert found["networks"]["ssd_kd"]["clean"]["energy"]["value"] is None
    assert answers_to_the_article(found)[0]["answer"] == "not measured"


def test_maps_are_enlarged_before_their_negative_part_is_cut_off() -> None:
    maps = np.random.default_rng(1).normal(0, 1, (1, 4, 4, 2)).astype(np.float32)
    shown = attention.shown_maps(maps, np.array([1]), 12)
    tensor = torch.from_numpy(maps[:, :, :, 1])[:, None]
    large = torch.nn.functional.interpolate(tensor, (12, 12), mode="bilinear")[0, 0].numpy()
    assert np.allclose(shown[0], np.maximum(large, 0))
    assert (shown[0] == 0).any()


def test_a_loss_is_before_minus_after() -> None:
    mask = np.broadcast_to(LESION, (3, SIDE, SIDE))
    before = attention.look(1.0 * mask, mask, 0.5)
    after = attention.look(1.0 * ~mask, mask, 0.5)
    found = attention.loss(before, after, list("abc"))
    assert {found[name].value for name in ("energy", "pointing", "iou")} == {1.0}


def test_the_best_threshold_overlaps_best() -> None:
    mask = np.broadcast_to(LESION, (2, SIDE, SIDE))
    shown = np.where(mask, 1.0, 0.62)
    assert attention.best_threshold(shown, mask) == pytest.approx(0.65)
    assert np.corrcoef(shown[0].ravel(), mask[0].ravel())[0, 1] == pytest.approx(
        attention.look(shown, mask, 0.5, 1.0 * mask).agreement[0]
    )
