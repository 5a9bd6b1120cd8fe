"""Which views a report shows."""

from pixel2mesh_jax.report import held_out


def samples(protocol, score, values):
    return [{"category": "chair", "scores": {protocol: {score: v}}} for v in values]


def test_views_from_the_best_to_the_worst_by_the_headline_score():
    chamfers = [0.5, 0.1, 0.4, 0.3, 0.2]
    found = held_out.telling(samples("surface", "chamfer", chamfers), 3)
    assert found == {
        1: "view 2, rank 1 of 5",
        3: "view 4, rank 3 of 5",
        0: "view 1, rank 5 of 5",
    }
    recalls = samples("hidden", "hidden_recall", chamfers)
    assert list(held_out.telling(recalls, 3)) == [0, 3, 1]  # more is better


def test_few_views_are_all_shown_and_what_has_no_score_comes_last():
    views = samples("hidden", "hidden_recall", [0.1, 0.9])
    views.append({"category": "chair", "scores": {"hidden": {}}})
    assert list(held_out.telling(views, 6)) == [1, 0, 2]
    assert held_out.telling([], 6) == {}
