"""The ensemble experiment on a tiny random model: shared equals separate runs, costs are counted,
readouts against examples."""

from dataclasses import asdict, replace

import pytest
import tiny

from chain_of_steps.bench import tasklist
from chain_of_steps.experiments.store import Store
from chain_of_steps.experiments.sweep import sweep
from chain_of_steps.figures.ensemble_table import analysis, plots, tables
from chain_of_steps.figures.ensemble_table.decision_set import is_hard
from chain_of_steps.figures.ensemble_table.runs import Ensemble, EnsembleRun
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.sampling import strategies
from chain_of_steps.sampling.rollouts import Member, Rollouts
from chain_of_steps.sampling.strategies import Outcome, Strategy

SCHEDULE = Schedule("test", "euler", 4, shift=3.0)
WINDOW, EARLY, BEST, SIZE = 2, 2, "merge_vote", 10


@pytest.fixture(scope="module")
def experiment():
    pipe = tiny.mini_like()
    pipe.scheduler = SCHEDULE.scheduler("sample")
    return Ensemble(VideoModel(pipe), SCHEDULE)


def small_plan(experiment, tasks=("maze", "bounce"), samples=1, choosing=1) -> list[EnsembleRun]:
    return experiment.plan(
        [*tasks],
        samples,
        {"maze": 1},
        {"maze": 1},
        {"maze": 1},
        {"maze": choosing},
        WINDOW,
        EARLY,
        BEST,
        7,
    )


@pytest.fixture(scope="module")
def rows(experiment, tmp_path_factory):
    return sweep(experiment, Store(tmp_path_factory.mktemp("rows"), "x"), small_plan(experiment))


def test_a_row_is_the_same_alone_and_in_company(experiment, rows):
    assert len(rows) == len(small_plan(experiment)) > 40
    for row in rows[::8]:
        assert experiment.measure(row["run"]) == row["result"]


def test_it_makes_no_more_evaluations_than_it_says(experiment):
    groups: dict = {}
    for run in small_plan(experiment):
        groups.setdefault(run.base, []).append(run)
    assert len(groups) == 5, (
        "two test samples, one of them from two seeds, one of the contest, one to choose on"
    )
    for runs in groups.values():
        adaptive = [run for run in runs if run.strategy.name == "merge_until_agreed"]
        fixed, made = [run for run in runs if run not in adaptive], []
        list(experiment.results(fixed, count=lambda made=made: made.append(1)))
        assert len(made) == experiment.evaluations(fixed)
        for run in adaptive:
            made.clear()
            list(experiment.results([run], count=lambda made=made: made.append(1)))
            assert 0 < len(made) <= experiment.evaluations([run])


def test_an_identity_describes_its_run(experiment, rows):
    for run, row in zip(small_plan(experiment), rows, strict=True):
        assert experiment.run_of(row["run"]) == experiment.run_of(experiment.identity(run)) == run


def test_rows_hold_every_score_and_their_mean(rows):
    for row in rows:
        result, strategy = row["result"], row["run"]["strategy"]
        several = 3 if strategy["name"] in ("single", "merge_all") else 1
        assert len(result["scores"]) == len(result["answers"]) == len(result["shown"]) == several
        assert result["score"] == pytest.approx(sum(result["scores"]) / several, abs=1e-4)
        assert (result["answer"] == -1) == (result["shown"][0] == "none")


def test_what_is_read_off_the_finals(experiment, monkeypatch):
    """Made-up finals: a solved clip, a wrong answer, and one that shows nothing."""
    sample = tasklist.draw_one("maze", 0, 7)
    wrong = next(i for i, candidate in enumerate(sample.candidates) if candidate.kind == "wrong")
    clips = [sample.render(sample.candidates[i], frames=9) for i in (wrong, 0)]
    clips.append(clips[0][:1].repeat(9, axis=0))
    monkeypatch.setattr(experiment.model, "decode", lambda number: clips[number])
    result = experiment._read(sample, Outcome([0, 1, 2], cost=7.0))
    assert result["scores"] == [0.0, 1.0, 0.0] and result["score"] == pytest.approx(1 / 3, abs=1e-4)
    assert result["answers"] == [wrong, 0, -1] and result["answer"] == wrong
    assert result["shown"] == ["wrong", "valid", "none"] and result["cost"] == 7.0


def test_moves_are_those_of_the_merge(experiment):
    def moved(**more):
        run = EnsembleRun("maze", 0, 7, 0, Strategy("merge", steps=2, merge="x0_hat", **more))
        return experiment.measure(experiment.identity(run))["moved"]

    assert moved(company="repeated") == pytest.approx([0.0, 0.0], abs=1e-4)
    assert min(moved()) > 1e-3 and moved() != moved(company="strangers")


def test_the_decision_set_is_fixed_by_difficulty():
    mazes = {
        len(maze.valid[0].answer) - 1: maze for maze in tasklist.draw("maze", 60, 7)
    }  # by steps of the solution
    assert {11, 12, 13} <= set(mazes)
    assert {steps for steps, maze in mazes.items() if is_hard(maze)} == {
        steps for steps in mazes if steps >= 12
    }
    assert all(
        is_hard(tasklist.draw_one(name, 0, 7)) for name in tasklist.task_names("out-of-domain")
    )
    assert not is_hard(tasklist.draw_one("bounce", 0, 7))


def test_runs_of_a_plan_differ_and_ours_are_chosen_elsewhere(experiment):
    some = {"maze": 2, "size_rule": 2}
    runs = experiment.plan("all", 3, some, {}, {"maze": 2}, some, WINDOW, EARLY, BEST, 7)
    assert len(set(runs)) == len(runs)
    chosen_on = {run.strategy.name for run in runs if run.partition == "choosing"}
    assert {"merge_vote", "branch_late", "merge_until_agreed"} <= chosen_on
    assert {run.task for run in runs if run.partition == "choosing"} == {"maze", "size_rule"}
    contest = [run for run in runs if run.partition == "test" and run.index >= 3]
    assert {run.task for run in contest} == {"maze"} and len({run.index for run in contest}) == 2
    assert all(is_hard(tasklist.draw_one("maze", run.index, 7)) for run in contest)
    assert len(contest) == 2 * (len(analysis.RIVALS) + 1)
    on_test = [
        run for run in runs if run.partition == "test" and run.strategy.name == "branch_late"
    ]
    assert not on_test, "only the chosen one is run on test samples"
    with pytest.raises(
        ValueError, match="unknown strategy 'luck'; expected one of merge_until_agreed"
    ):
        experiment.plan("all", 1, {}, {}, {}, {}, WINDOW, EARLY, "luck", 7)
    with pytest.raises(ValueError, match="a window of 1 to 4 steps"):
        experiment.plan("all", 1, {}, {}, {}, {}, 5, EARLY, BEST, 7)


def test_a_restarted_sweep_ends_with_the_same_bytes(experiment, tmp_path):
    runs = [run for run in small_plan(experiment) if run.task == "bounce"]
    for name, parts in (("whole", [runs]), ("parts", [runs[:3], runs[2:5], runs])):
        for part in parts:
            store = Store(tmp_path, name)
            sweep(experiment, store, part)
        store.seal()
    assert (tmp_path / "whole.jsonl.gz").read_bytes() == (tmp_path / "parts.jsonl.gz").read_bytes()


def made_up(
    experiment, values: dict[str, list[float]], task="maze_loops", partition="test", seed=0
) -> list[dict]:
    """Rows of given scores by name, sample by sample; `single` has lists of three."""
    named = {
        n: s for group in experiment.variants(WINDOW, EARLY).values() for n, s in group.items()
    }
    rows = []
    for name, scores in values.items():
        for index, value in enumerate(scores):
            each = value if isinstance(value, list) else [value]
            result = {
                "score": sum(each) / len(each),
                "scores": each,
                "answer": 0,
                "answers": [0] * len(each),
            }
            result |= {
                "shown": ["valid" if v else "none" for v in each],
                "cost": 8.0,
                "hard": task != "bounce",
            }
            run = asdict(EnsembleRun(task, index, 7, index + seed, named[name], partition))
            rows.append({"run": run, "result": result | {"moved": [0.1, 0.2], "contrast": 0.5}})
    return rows


RIVALS = [name for name in analysis.RIVALS if name != "single"]


def numbers(experiment, task="maze_loops", **more):
    values = {"single": [[1, 0, 0], [0, 0, 0], [1, 1, 0], [0, 0, 0]]} | {
        name: [0, 0, 1, 0] for name in RIVALS
    }
    values |= {"paper_recipe": [1, 0, 1, 0], "recipe_window": [1, 0, 1, 0], BEST: [1, 0, 1, 1]}
    lines = analysis.table(
        made_up(experiment, values | more, task), experiment.variants(WINDOW, EARLY), steps=4
    )
    return analysis.summary(lines, BEST, SIZE)


def test_gains_ceilings_and_shares_by_hand(experiment):
    summary = numbers(experiment, x0_merge_k3=[1, 0, 1, 0])
    assert (
        summary["table"]["single"]["overall"]["mean"] == 0.25
        and summary["n"] == summary["n_hard"] == 4
    )
    assert (
        summary["table"]["pass_k3"]["overall"]["mean"] == 0.5
        and summary["table"]["pass_k3"]["cost"] == 3.0
    )
    best = summary["best"]
    assert (best["name"], best["score"], best["gain"], best["n"], best["cost"]) == (
        BEST,
        0.75,
        50.0,
        4,
        2.0,
    )
    assert best["headroom_share"] == 2.0 and best["low"] < 50.0 < best["high"]
    assert {entry["name"] for entry in summary["rivals"]} >= {"single", *RIVALS}
    difference = summary["difference_to_best_rival"]
    assert (
        difference["name"] == "x0_merge_k3"
        and difference["mean"] == 0.25
        and difference["low"] == 0.0
    )
    assert summary["contrasts"]["merge_minus_vote"]["mean"] == 0.25
    assert summary["contrasts"]["best_minus_rival"]["mean"] == 0.25


def test_a_legality_check_passes_over_what_breaks_the_rules(experiment):
    values = {"single": [[0, 0, 1]]} | {
        name: [0] for name in (*RIVALS, "paper_recipe", "recipe_window", BEST)
    }
    rows = made_up(experiment, values)
    rows[0]["result"] |= {"shown": ["illegal", "wrong", "valid"], "scores": [0.5, 0.25, 1]}
    lines = analysis.table(rows, experiment.variants(WINDOW, EARLY), steps=4).set_index("name")
    assert lines["score"]["legal_k3"] == 0.25 and lines["score"]["pass_k3"] == 1.0


def test_easy_samples_are_left_out_of_the_decision(experiment):
    summary = numbers(experiment, task="bounce")
    assert summary["n"] == 4 and summary["n_hard"] == 0 and summary["best"]["gain"] is None
    for draw in (
        plots.scores,
        plots.categories,
        plots.costs,
        plots.ablations,
        plots.controls,
        plots.accounts,
    ):
        assert draw(summary).axes


def test_the_recipe_is_compared_where_it_is_said_to_gain(experiment):
    variants, names = experiment.variants(WINDOW, EARLY), (*RIVALS, "recipe_window", BEST)
    here = {"single": [[0, 0, 0]] * 4, "paper_recipe": [1, 1, 1, 0]} | {
        name: [0] * 4 for name in names
    }
    there = here | {"paper_recipe": [0, 0, 0, 1]}
    rows = made_up(experiment, here, "size_rule") + made_up(experiment, there, "maze_loops")
    summary = analysis.summary(analysis.table(rows, variants, 4), BEST, SIZE)
    assert summary["contrasts"]["recipe_where_said"]["mean"] == 0.5
    assert summary["contrasts"]["recipe"]["mean"] == 0.5


def test_the_winner_is_found_on_the_choosing_partition(experiment):
    variants = experiment.variants(WINDOW, EARLY)
    values = {
        "single": [[0, 0, 0]] * 3,
        "merge_vote": [1, 0, 1],
        "branch_late": [1, 1, 1],
        "merge_weighted": [0, 0, 0],
    }
    everywhere = {"single": [[0, 0, 0]]} | {
        n: [1] for n in (*RIVALS, "paper_recipe", "recipe_window", BEST)
    }
    rows = made_up(experiment, values, partition="choosing") + made_up(experiment, everywhere)
    choosing = analysis.summary(analysis.table(rows, variants, 4), BEST, SIZE)["choosing"]
    assert (
        choosing["winner"] == "branch_late" and choosing["agrees"] is False and choosing["n"] == 3
    )
    assert choosing["gains"]["merge_vote"]["mean"] == pytest.approx(2 / 3, abs=1e-4)


def test_other_seeds_are_reported_apart_from_the_table(experiment):
    values = {"single": [[1, 0, 0], [0, 0, 0]]} | {
        n: [1, 0] for n in (*RIVALS, "paper_recipe", "recipe_window", BEST)
    }
    second = {"single": [[1, 1, 1], [1, 1, 1]], "vote_k3": [0, 1]}
    rows = made_up(experiment, values) + made_up(experiment, second, seed=500)
    summary = analysis.summary(
        analysis.table(rows, experiment.variants(WINDOW, EARLY), 4), BEST, SIZE
    )
    assert summary["n"] == 2 and summary["table"]["single"]["overall"]["mean"] == pytest.approx(
        1 / 6, abs=1e-4
    )
    again = summary["again"]
    assert (
        again["n"] == 2
        and again["names"]["vote_k3"]["within"]
        and not again["names"]["single"]["within"]
    )
    assert again["names"]["single"]["again"]["mean"] == 1.0
    text = tables.again_markdown(again)
    assert "| vote_k3 | 50% (0% to 100%) | 50% (0% to 100%) | yes |" in text
    assert "3 of 4 rows are replicated" in text, "the two rows of the checker are rows too"


def test_the_contest_is_decided_on_samples_after_the_table(experiment):
    names = (*RIVALS, "paper_recipe", "recipe_window")
    values = {"single": [[0, 0, 0]] * 4} | {n: [0] * 4 for n in names} | {BEST: [1, 1, 0, 0]}
    lines = analysis.table(made_up(experiment, values), experiment.variants(WINDOW, EARLY), 4)
    summary = analysis.summary(lines, BEST, 2)
    assert summary["n"] == 2 and summary["n_hard"] == 2 and summary["best"]["gain"] == 0.0
    assert (
        summary["hard_in_table"][BEST]["mean"] == 1.0 == summary["table"][BEST]["overall"]["mean"]
    )


def test_curves_use_the_samples_that_have_every_point(experiment):
    by_k = {
        "x0_merge_k3": [1, 0, 1, 1],
        "x0_merge_k2": [1, 0],
        "x0_merge_k9": [1, 1],
        "x0_merge_4_steps": [0, 0],
    }
    summary = numbers(experiment, **by_k)
    assert summary["by_k"]["k"] == [2, 3, 9] and summary["by_k"]["n"] == 2
    assert [point["mean"] for point in summary["by_k"]["gain"]] == pytest.approx(
        [1 / 3, 1 / 3, 5 / 6], abs=1e-4
    )
    assert summary["by_steps"]["steps"] == [2, 4]
    assert summary["by_steps"]["gain"][1]["mean"] == pytest.approx(-1 / 6, abs=1e-4)


def test_accounts_are_compared_with_the_merge(experiment):
    arms = {"linger": [1, 0], "nearby_mean": [0, 0], "x0_merge_k3": [1, 1, 0, 0]}
    accounts = numbers(experiment, **arms)["accounts"]
    assert set(accounts) == {"x0_merge_k3", "nearby_mean", "linger"}, (
        "arms, though some compete as our own too"
    )
    assert (
        accounts["linger"]["minus_merge"]["mean"] == -0.5 and accounts["linger"]["gain"]["n"] == 2
    )
    assert accounts["nearby_mean"]["minus_merge"]["mean"] == -1.0
    assert (
        accounts["x0_merge_k3"]["minus_merge"]["mean"] == 0.0
        and accounts["linger"]["contrast"]["mean"] == 0.5
    )


def test_the_figure_is_drawn_from_rows(experiment, rows, tmp_path):
    lines = analysis.table(rows, experiment.variants(WINDOW, EARLY), SCHEDULE.steps)
    summary = analysis.summary(lines, BEST, 1)
    assert summary["n"] == 2 and set(analysis.CHECKED) <= set(summary["table"])
    for draw in (
        plots.scores,
        plots.categories,
        plots.costs,
        plots.ablations,
        plots.controls,
        plots.accounts,
    ):
        draw(summary).savefig(tmp_path / "x.png")
    text = tables.markdown(summary, [*summary["groups"]["table"], BEST]).splitlines()
    assert len(text) == 2 + len(summary["groups"]["table"]) + 1
    assert len({line.count("|") for line in text}) == 1


def test_the_showcase_is_what_was_generated(experiment, rows, tmp_path):
    cases = experiment.showcase(rows, tmp_path)
    assert [case.label for case in cases] == ["seed 0", "seed 1", "seed 2", "merged"]
    run = experiment.run_of(rows[0]["run"])
    sample = tasklist.draw_one(run.task, run.index, run.suite_seed)
    pool = Rollouts(experiment.model, SCHEDULE, sample, sample, run.seed)
    merge = experiment.variants(WINDOW, EARLY)["table"][analysis.MERGED]
    for case, latents in zip(
        cases,
        [pool.final(Member(j)) for j in range(3)] + strategies.run(merge, pool).finals,
        strict=True,
    ):
        assert (case.clips[-1] == experiment.model.decode(latents)).all()
    files = sorted(tmp_path.rglob("*.png"))
    stamps = [file.stat().st_mtime_ns for file in files]
    again = experiment.showcase(rows, tmp_path)
    assert len(files) == 4 and [file.stat().st_mtime_ns for file in files] == stamps
    assert all((a.clips == b.clips).all() for a, b in zip(cases, again, strict=True))


def test_another_sampler_is_refused(experiment):
    unipc = Ensemble(experiment.model, replace(SCHEDULE, sampler="unipc"))
    run = EnsembleRun("bounce", 0, 7, 0, Strategy("merge", steps=1, merge="x0_hat"))
    with pytest.raises(ValueError, match="needs an Euler preset"):
        unipc.measure(unipc.identity(run))
