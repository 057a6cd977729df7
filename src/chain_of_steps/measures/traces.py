"""What a run decides at each of its steps, as a row stores it.

A trace is plain data. Answers are text, a character for each part (`encoded`): a value in base 36,
or a dot where nothing is decided. Truth values are text too, `1` or `0` for each step.
"""

import string
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ..common.hashing import digest
from ..models.video_model import VideoModel
from ..puzzles import reading, scoring
from ..puzzles.base import Sample, assignment, timeline
from . import decisions

DIGITS = string.digits + string.ascii_lowercase


def encoded(decided: np.ndarray | Sequence[int]) -> str:
    """One decided answer (P,) as text; -1 is a dot."""
    return "".join("." if value < 0 else DIGITS[value] for value in decided)


def decoded(texts: Sequence[str]) -> np.ndarray:
    """Answers as text to decided answers (S, P)."""
    return np.array([[DIGITS.find(c) if c != "." else -1 for c in text] for text in texts])


def flags(values: Sequence[bool] | np.ndarray) -> str:
    """Truth values (S,) as text."""
    return "".join("1" if value else "0" for value in values)


def unflagged(text: str) -> np.ndarray:
    """Text to truth values (S,) bool."""
    return np.array([c == "1" for c in text])


def beliefs_along(
    model: VideoModel, sample: Sample, x0_hats: Sequence[Tensor], frame: int = -1
) -> np.ndarray:
    """Beliefs (S, P, V) of clean estimates (1, C, F, H, W).

    Args:
        frame: the pixel frame that is read, by default the last.
    """
    if model.family.beliefs is not None:
        return np.stack([model.family.beliefs(sample, x0_hat) for x0_hat in x0_hats])
    progress = timeline(model.frames)[frame]
    return reading.belief(sample, model.decode_all(x0_hats)[:, frame], progress)


def facts(sample: Sample) -> dict:
    """What a row says about its sample: number of valid answers, whether there are more than the
    listed ones, rounds or `search` where the answer is unique, stratum, knobs, the hash of its
    canonical state (a cluster), and whether training shows that state under another answer."""
    return {
        "answers": len(sample.solutions),
        "more": sample.solutions.more,
        "rounds": sample.rounds,
        "stratum": sample.stratum.label,
        "knobs": sample.knobs,
        "cluster": digest(sample.canonical)[:12],
        "seen": sample.seen,
    }


def trace(
    sample: Sample,
    beliefs: np.ndarray,
    floor: float = decisions.TIE,
    rng: np.random.Generator | None = None,
) -> dict:
    """What beliefs (S, P, V) decide at each step.

    Args:
        floor: a margin up to which a part holds no value (`decisions.held`).
        rng: breaks ties at random (`decisions.decide`), for means of several answers.

    Returns:
        `decided` and `held`, the answer at each step, as text; `valid_at`, as text;
        `violations_at`; `present_at`, the mean number of possible values that open parts show;
        `pruned`, whether a part shows several at some step and one at the last.
    """
    decided = decisions.decide(beliefs, rng)  # (S, P)
    held = decisions.held(beliefs, floor)
    possible = decisions.possible(sample)
    present = decisions.present(beliefs, possible)
    counts, open_parts = present.sum(-1), possible.sum(-1) > 1  # (S, P), (P,)
    mean = counts[:, open_parts].mean(1) if open_parts.any() else np.ones(len(beliefs))
    return {
        "decided": [encoded(answer) for answer in decided],
        "held": [encoded(answer) for answer in held],
        "valid_at": flags(decisions.valid(sample, decided)),
        "violations_at": decisions.violations(sample, decided).tolist(),
        "present_at": mean.round(3).tolist(),
        "pruned": bool(decisions.pruned(present).any()),
    }


def outcome(model: VideoModel, sample: Sample, latents: Tensor) -> dict:
    """What final latents (1, C, F, H, W) answer: `answer` as text, whether it is `valid`, its
    `violations`, and for pictures `drawn` and the `score` of the whole video (else 1 if valid)."""
    if model.family.beliefs is not None:
        decided = reading.decide(model.family.beliefs(sample, latents))
        found, drawn = assignment(decided), True
        score = float(sample.is_valid(found))
    else:
        clip = model.decode(latents)
        found = reading.decided(sample, clip[-1])
        drawn, score = reading.drawn(sample, clip[-1]), scoring.score(sample, clip)
    return {
        "answer": encoded([-1 if value is None else value for value in found]),
        "valid": sample.is_valid(found),
        "violations": sample.violations(found),
        "drawn": drawn,
        "score": score,
    }
