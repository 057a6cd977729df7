"""Linear probes on features whose answers are known."""

import numpy as np
import pytest
import tiny
import torch

from chain_of_steps.measures import linear_probes as probes
from chain_of_steps.models.video_model import VideoModel


def gaussian(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("patch", [(1, 1, 1), (1, 2, 2)])
def test_cells_are_what_tokens_cover(patch):
    _, p, q = patch
    latents = gaussian(1, 3, 2, 4, 6)
    cells = probes.cells_of(latents, patch)
    assert cells.shape == (2 * (4 // p) * (6 // q), 3 * p * q)
    frame, row, column = 1, 1, 2
    token = frame * (4 // p) * (6 // q) + row * (6 // q) + column
    piece = latents[0, :, frame, row * p : (row + 1) * p, column * q : (column + 1) * q]
    assert torch.equal(cells[token], piece.flatten())


def test_a_mask_is_shared_among_the_tokens_that_it_covers():
    mask = np.zeros((4, 4), bool)
    mask[0, :3] = True  # two pixels in the first of four tokens, one in the second
    assert probes.share(mask, 2) == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert probes.share(np.zeros((4, 4), bool), 2).tolist() == [0, 0, 0, 0]


def parts_of(samples: int, informative: bool) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Of each sample three parts with four features, and their classes 0, 1, 0, which the first
    feature tells or nothing does."""
    rng, labels = np.random.default_rng(0), np.array([0, 1, 0])
    parts = [rng.standard_normal((3, 4)) for _ in range(samples)]
    for part in parts:
        part[:, 0] += 8.0 * labels * informative
    return parts, [labels] * samples


def test_what_one_feature_tells_is_read_off_samples_that_were_not_seen():
    parts, labels = parts_of(20, informative=True)
    assert np.array_equal(probes.guessed(parts, labels), labels)
    scores = probes.held_out_scores(parts, labels)
    assert all(score.argmax() == 1 for score in scores) and [len(s) for s in scores] == [3] * 20


def test_noise_tells_nothing_of_samples_that_were_not_seen():
    """A probe that were judged on what it was fitted to would find something."""
    parts, labels = parts_of(40, informative=False)
    right = np.mean([score.argmax() == 1 for score in probes.held_out_scores(parts, labels)])
    assert right == pytest.approx(1 / 3, abs=0.15)


def test_the_mark_of_a_sample_does_not_help_to_read_it():
    """Each sample carries its label only in a feature of its own: held out, it is unknown."""
    parts = [np.eye(20)[[i]] for i in range(20)]
    labels = [np.array([i // 10]) for i in range(20)]
    found, right = np.concatenate(probes.guessed(parts, labels)), np.concatenate(labels)
    assert np.mean(found == right) <= 0.5
    scores = np.concatenate(probes.held_out_scores(parts, labels))
    assert np.mean((scores > 0) == right) <= 0.5


def test_parts_that_do_not_count_are_not_trained_on():
    parts, labels = parts_of(20, informative=True)
    unknown = [np.array([np.nan, 1.0, np.nan]) for _ in labels]
    assert np.isnan(probes.held_out_scores(parts, unknown)).all(), "one class alone is no probe"
    unknown[5], unknown[6] = np.array([0.0, 1.0, 0.0]), np.array([0.0, 1.0, 0.0])
    scores = probes.held_out_scores(parts, unknown)
    assert all(score.argmax() == 1 for score in scores)


def test_a_single_class_is_guessed_without_a_fit_and_nothing_from_nothing():
    parts = [np.zeros((2, 3)), np.zeros((0, 3)), np.zeros((1, 3))]
    one = [np.full(2, 4), np.zeros(0, int), np.full(1, 4)]
    assert [found.tolist() for found in probes.guessed(parts, one)] == [[4, 4], [], [4]]
    alone = [np.zeros((2, 3)), np.zeros((0, 3))]
    found = probes.guessed(alone, [np.full(2, 4), np.zeros(0, int)])
    assert found[0].tolist() == [-1, -1], "its own labels are not known"


def test_a_shaken_network_is_another_of_the_same_size_and_comes_back():
    model = VideoModel(tiny.mini_like())
    weights = {name: p.detach().clone() for name, p in model.transformers[0].named_parameters()}
    with pytest.raises(RuntimeError), probes.shaken(model):
        for name, shaken in model.transformers[0].named_parameters():
            if shaken.numel() > 1000:
                assert not torch.equal(shaken, weights[name])
                assert shaken.mean().item() == pytest.approx(weights[name].mean().item(), abs=0.02)
                assert shaken.std().item() == pytest.approx(weights[name].std().item(), rel=0.1)
        raise RuntimeError
    for name, after in model.transformers[0].named_parameters():
        assert torch.equal(after, weights[name])
