"""The same board with another right answer: what a swap takes its donor from."""

from dataclasses import replace

from .base import Candidate, Sample

MODULES = ("maze", "mark_object")


def exchanged(sample: Sample, wrong: int) -> Sample:
    """The board on which the named thing and candidate number `wrong` have changed places; the
    prompt stays.

    Raises:
        ValueError: for another task than those of `mark_object`, or a candidate that is not a
            thing.
    """
    chosen = sample.candidates[wrong]
    if sample.module != "mark_object" or chosen.kind != "wrong":
        raise ValueError(
            f"{sample.task} has no board on which the named thing and {chosen.name!r} change "
            "places; expected a task of mark_object and one of its other things"
        )
    named, other = (
        next(t for t in sample.state["things"] if t[2:] == c.answer)
        for c in (sample.candidates[0], chosen)
    )
    moved = {tuple(named): [*named[:2], *other[2:]], tuple(other): [*other[:2], *named[2:]]}
    things = [moved.get(tuple(thing), thing) for thing in sample.state["things"]]
    places = {sample.candidates[0].name: chosen.answer, chosen.name: sample.candidates[0].answer}
    candidates = tuple(
        Candidate(c.name, c.kind, places.get(c.name, c.answer)) for c in sample.candidates
    )
    return replace(sample, state=sample.state | {"things": things}, candidates=candidates)


def counterfactual(sample: Sample, wrong: int) -> Sample:
    """The board on which candidate number `wrong` is right and all others are wrong.

    In a maze the goal moves to that dead end; where a thing is to be marked, the prompt names that
    other one.

    Raises:
        ValueError: for a task without such a twin, or a candidate that cannot be made right.
    """
    chosen = sample.candidates[wrong]
    if sample.module not in MODULES or chosen.kind != "wrong" or len(sample.valid) > 1:
        raise ValueError(
            f"{sample.task} has no twin in which {chosen.name!r} is right; expected a wrong "
            f"candidate of {' or '.join(MODULES)} with one valid answer"
        )
    rest = [
        Candidate(c.name, "illegal" if c.kind == "illegal" else "wrong", c.answer)
        for c in sample.candidates
    ]
    others = tuple(c for i, c in enumerate(rest) if i != wrong)
    candidates = (Candidate(chosen.name, "valid", chosen.answer), *others)
    if sample.module == "maze":
        state, prompt = sample.state | {"goal": list(chosen.answer[-1])}, sample.prompt
    else:
        things = sample.state["things"]
        named = next(thing for thing in things if thing[2:] == chosen.answer)
        state = sample.state | {
            "things": [named, *(thing for thing in things if thing is not named)]
        }
        prompt = f"mark the {chosen.name}"
    return replace(sample, state=state, prompt=prompt, candidates=candidates)
