"""The unknown score: chosen on one half of the material and reported on the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from sklearn.metrics import roc_auc_score

from benchmarks.trust.choose import (
    Candidate,
    Choice,
    Material,
    Trial,
    _best,
    _place_of,
    _value,
    candidates,
    choose,
    simple_scores,
)
from benchmarks.trust.network import Known
from benchmarks.trust.unknown_part import (
    ACCEPTED,
    fitted,
    material,
    measure_file,
    measure_unknown,
    measure_withheld,
)
from distill.unknown import fit_unknown, main_directions
from runtimes.errors import InputError

Answers = dict[str, Known]


def images(rng: np.random.Generator, count: int, top: float) -> Known:
    pooled = rng.normal(0, 1, (count, 20)).astype(np.float32)
    logits = rng.normal(0, 1, (count, 3)).astype(np.float32)
    logits[:, 0] += top
    return Known(pooled, logits)


@pytest.fixture
def answers() -> Answers:
    """Sides and pictures that all differ, so that one taken for another is seen."""
    rng = np.random.default_rng(0)
    return {
        "fit": images(rng, 50, 3),
        "validation": images(rng, 200, 3),
        "test": images(rng, 120, 4),
        "validation/drawn": images(rng, 30, 2),
        "test/drawn": images(rng, 40, 0),
        "validation/photos": images(rng, 30, 2),
        "test/photos": images(rng, 35, 1),
        "validation/blurred": images(rng, 30, 2),
        "test/blurred": images(rng, 25, 2),
    }


def max_logit_alone(answers: Answers, codes: tuple[str, ...] = ()) -> Choice:
    directions = main_directions(answers["fit"].pooled)
    candidate = Candidate("max_logit", None, 1.0, True)
    return Choice(candidate, (), directions, dict.fromkeys(codes, directions))


def top(known: Known) -> np.ndarray:
    return -known.logits.max(axis=1)


def auroc(known: Known, unknown: Known) -> float:
    scores = np.r_[top(known), top(unknown)]
    return float(
        roc_auc_score(np.r_[np.zeros(len(top(known))), np.ones(len(top(unknown)))], scores)
    )


def test_the_energy_is_minus_the_logarithm_of_the_sum_of_powers() -> None:
    logits = np.random.default_rng(1).normal(0, 30, (50, 5))
    assert np.allclose(simple_scores("energy", logits), -logsumexp(logits, axis=1))
    assert np.allclose(simple_scores("max_logit", logits), -logits.max(axis=1))


def test_each_side_has_its_own_pictures(answers: Answers) -> None:
    for side in ("validation", "test"):
        found = material(answers, side)
        assert found.fit is answers["fit"]
        assert found.validation is answers[side]
        assert set(found.unknown) == {"drawn", "photos", "blurred"}
        for kind, own in found.unknown.items():
            assert own is answers[f"{side}/{kind}"]


def test_the_threshold_is_of_validation_images_and_the_figures_of_test_images(
    answers: Answers,
) -> None:
    choice = max_logit_alone(answers)
    score = fitted(choice, answers)
    assert (top(answers["validation"]) <= score.threshold).mean() == ACCEPTED
    found = measure_unknown(choice, score, answers, list(map(str, range(120))), {})
    test, threshold = answers["test"], score.threshold
    for kind in ("drawn", "photos", "blurred"):
        row, other = found["pictures"][kind], answers[f"test/{kind}"]
        assert row["auroc"]["value"] == pytest.approx(auroc(test, other))
        assert row["called_unknown"] == pytest.approx((top(other) > threshold).mean())
        assert (row["known"], row["unknown"]) == (120, len(other.logits))
    both = Known(
        np.concatenate([answers[f"test/{kind}"].pooled for kind in ("drawn", "photos")]),
        np.concatenate([answers[f"test/{kind}"].logits for kind in ("drawn", "photos")]),
    )
    together = found["pictures"]["no dermoscopy"]
    assert together["unknown"] == 75  # without the blurred lesions
    assert together["auroc"]["value"] == pytest.approx(auroc(test, both))
    assert found["accepted_on_test"] == pytest.approx((top(test) <= threshold).mean())
    assert found["max_logit"]["photos"]["auroc"] == found["pictures"]["photos"]["auroc"]
    goals = {goal["goal"]: goal for goal in found["goals"]}
    reached = goals["AUROC of no dermoscopy at least 0.95"]
    assert reached["reached"] == together["auroc"]["value"]
    assert reached["met"] is (together["auroc"]["value"] >= 0.95)
    assert goals["AUROC of held-out classes at least 0.75"]["met"] is None


def test_a_held_out_class_is_judged_by_the_student_that_never_saw_it(answers: Answers) -> None:
    rng = np.random.default_rng(2)
    own = {
        "fit": images(rng, 50, 5),
        "validation": images(rng, 80, 5),
        "test": images(rng, 60, 6),
        "validation/DF": images(rng, 10, 5),
    }
    five = images(rng, 5, 5)  # lesions, each on four images
    own["test/DF"] = Known(np.repeat(five.pooled, 4, axis=0), np.repeat(five.logits, 4, axis=0))
    choice = max_logit_alone(answers, ("DF",))
    lesions = [f"D{i // 4}" for i in range(20)]
    found = measure_unknown(
        choice,
        fitted(choice, answers),
        answers,
        list(map(str, range(120))),
        {"DF": (own, list(map(str, range(60))), lesions)},
    )
    row = found["held_out"]["DF"]["chosen"]
    assert row["auroc"]["value"] == pytest.approx(auroc(own["test"], own["test/DF"]))
    threshold = np.quantile(top(own["validation"]), 0.95, method="inverted_cdf")
    assert row["called_unknown"] == pytest.approx((top(own["test/DF"]) > threshold).mean())
    goal = found["goals"][1]
    assert goal["reached"] == row["auroc"]["value"]
    assert goal["met"] is (row["auroc"]["value"] >= 0.75)
    # its interval is over lesions: four equal images tell no more than one
    apart = {"DF": (own, list(map(str, range(60))), list(map(str, range(20))))}
    again = measure_unknown(
        choice, fitted(choice, answers), answers, list(map(str, range(120))), apart
    )["held_out"]["DF"]["chosen"]["auroc"]
    width = row["auroc"]["high"] - row["auroc"]["low"]
    assert width > 1.3 * (again["high"] - again["low"])


def test_the_value_of_a_score_is_the_mean_of_three_means() -> None:
    pictures = {"drawn": 0.9, "photos": 0.7, "noise": 0.8, "blurred": 0.6, "occluded": 0.4}
    assert _value(pictures, {"DF": 0.2, "VASC": 0.4}) == pytest.approx((0.8 + 0.5 + 0.3) / 3)
    assert _value(pictures, {}) == pytest.approx((0.8 + 0.5) / 2)


def test_what_takes_drawings_for_lesions_is_not_chosen_nor_what_no_file_can_hold() -> None:
    def trial(name: str, deployable: bool, drawn: float, value: float) -> Trial:
        return Trial(name, deployable, {"drawn": drawn, "blurred": 0.5}, {}, value)

    trials = [
        trial("energy", False, 0.99, 0.99),
        trial("blind", True, 0.90, 0.98),
        trial("good", True, 0.96, 0.80),
        trial("better", True, 0.95, 0.85),
    ]
    assert trials[_best(trials, [0, 0, 16, 64])].name == "better"
    assert trials[_best(trials[:2], [0, 0])].name == "blind"  # nothing reaches it


def test_of_equally_good_scores_the_smallest_is_taken_and_of_those_the_students_own() -> None:
    values = {"best": 0.870, "small": 0.867, "own size": 0.866, "too small": 0.864}
    trials = [Trial(name, True, {"drawn": 0.99}, {}, value) for name, value in values.items()]
    trials.append(Trial("blind", True, {"drawn": 0.5}, {}, 0.869))
    ranks = [64, 16, 16, 8, 1]
    chosen = [trials[_best(trials, ranks, own)].name for own in (None, 0, 1, 2, 3, 4)]
    assert chosen == ["small", "small", "small", "own size", "small", "small"]
    assert trials[_best(trials[:1] + trials[3:4], [64, 8])].name == "best"


def test_a_score_is_known_again_by_its_rank_and_its_logit() -> None:
    rng = np.random.default_rng(6)

    def some(count: int) -> Known:
        pooled, logits = rng.normal(0, 1, (count, 80)), rng.normal(0, 1, (count, 3))
        return Known(pooled.astype(np.float32), logits.astype(np.float32))

    student = Material(some(90), some(60), {"drawn": some(40)})
    directions = main_directions(student.fit.pooled)
    tried = candidates(90, [directions])
    for rank, weight in ((16, 0.0), (16, 1.0), (64, 1.0), (64, 4.0)):
        own = fit_unknown(student.fit.pooled, student.fit.logits, rank, weight)
        place = _place_of(own, tried, student.fit, directions)
        assert place is not None
        assert tried[place].name == f"features rank {rank} weight {weight:g}"
        other = replace(own, share=own.share * 1.1 + 0.1)
        assert _place_of(other, tried, student.fit, directions) is None
    assert _place_of(None, tried, student.fit, directions) is None


def test_every_trial_is_fitted_on_training_images_and_tried_on_validation_images() -> None:
    rng = np.random.default_rng(5)

    def network(spread: np.ndarray) -> dict[str, Known]:
        def some(count: int, shift: float) -> Known:
            pooled = rng.normal(shift, 1, (count, 24)) * spread
            return Known(
                pooled.astype(np.float32), rng.normal(shift, 1, (count, 3)).astype(np.float32)
            )

        return {"fit": some(40, 0), "known": some(30, 0.3), "other": some(20, 0.6)}

    first, second = network(np.linspace(3, 0.1, 24)), network(np.linspace(0.1, 3, 24))
    student = Material(first["fit"], first["known"], {"drawn": first["other"]})
    held = Material(second["fit"], second["known"], {"DF": second["other"]})
    found = choose(student, {"DF": held})
    names = {trial.name for trial in found.trials}
    assert names == {"max_logit", "energy", *(f"features rank 16 weight {w}" for w in (0, 1, 2, 4))}
    for trial in found.trials:
        if not trial.name.startswith("features"):
            continue
        weight = float(trial.name.split()[-1])

        def value(own: dict[str, Known], weight: float = weight) -> float:
            score = fit_unknown(own["fit"].pooled, own["fit"].logits, 16, weight)
            before, after = (
                score.of(torch.from_numpy(own[key].pooled), torch.from_numpy(own[key].logits))
                for key in ("known", "other")
            )
            positive = np.r_[np.zeros(len(before)), np.ones(len(after))]
            return float(roc_auc_score(positive, np.r_[before.numpy(), after.numpy()]))

        assert trial.pictures == {"drawn": pytest.approx(value(first))}
        assert trial.held_out == {"DF": pytest.approx(value(second))}


def test_ranks_need_more_images_than_directions() -> None:
    known = main_directions(np.random.default_rng(0).normal(0, 1, (200, 90)))
    ranks = {each.rank for each in candidates(33, [known])}
    assert ranks == {None, 16, 32}
    assert {each.rank for each in candidates(16, [known])} == {None}
    flat = np.random.default_rng(0).normal(0, 1, (200, 90))
    flat[:, 20:] = 0  # another network's features lie in 20 directions
    assert {each.rank for each in candidates(99, [known, main_directions(flat)])} == {None, 16}


def test_a_choice_needs_pictures(answers: Answers) -> None:
    with pytest.raises(InputError, match="needs pictures"):
        choose(Material(answers["fit"], answers["validation"], {}), {})


def test_what_is_withheld_is_told_of_melanomas() -> None:
    target = np.array([0, 0, 0, 0, 1, 1])
    probabilities = np.array(
        [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]]
    )
    scores = np.array([0.1, 0.9, 0.2, 0.5, 0.3, 0.4])
    groups = list("abcdef")
    found = measure_withheld(scores, 0.5, probabilities, target, groups, ["MEL", "NV"])
    told = {name: each["value"] for name, each in found["melanoma"].items()}
    assert told["called_unknown"] == pytest.approx(1 / 4)
    assert told["without_unknown"] == pytest.approx(3 / 4)
    assert told["found_and_accepted"] == pytest.approx(2 / 4)
    assert told["among_accepted"] == pytest.approx(2 / 3)
    assert found["risk_coverage"]["risk"][0] == 0  # the lowest score comes first
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    wrong = (probabilities.argmax(axis=1) != target)[order]
    risks = np.cumsum(wrong) / np.arange(1, 7)
    assert found["by_confidence"]["area"]["value"] == pytest.approx(risks.mean())
    assert risks.mean() != pytest.approx((np.cumsum(wrong[::-1]) / np.arange(1, 7)).mean())
    assert found["by_confidence"]["risk"][-1] == pytest.approx(2 / 6)
    without = measure_withheld(scores, 0.5, probabilities, target, groups, ["BCC", "NV"])
    assert "melanoma" not in without


def test_a_file_is_measured_on_the_reported_pictures(answers: Answers) -> None:
    said = {name: {"unknown": top(known)} for name, known in answers.items() if name != "fit"}
    found = measure_file(said, list(map(str, range(120))), -1.0)
    assert set(found) == {"no dermoscopy", "drawn", "photos", "blurred"}
    expected = auroc(answers["test"], answers["test/blurred"])
    assert found["blurred"]["auroc"]["value"] == pytest.approx(expected)
    called = (top(answers["test/blurred"]) > -1.0).mean()
    assert found["blurred"]["called_unknown"] == pytest.approx(called)
