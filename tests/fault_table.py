"""The table of faults: what is tried, how often, what happens; and what its checks share."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tiny

from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel

ROOT = Path(__file__).parent.parent


SHORT = Schedule("test", "euler", 3, shift=3.0)
PLAN = dict(
    cells=["bounce walls=1"],
    samples_per_cell=2,
    suite_seed=7,
    step_stride=1,
    frame_stride=8,
)


@dataclass(frozen=True)
class Row:
    """One fault: a check of the same name, or the names of tests elsewhere."""

    name: str
    tried: str
    times: int
    happens: str
    elsewhere: tuple[str, ...] = ()


ROWS = [
    Row("sweep_killed", "SIGKILL of a sweep, at ten moments, then two workers", 10,
        "it resumes; the same bytes", ("test_killed_at_ten_moments_it_ends_with_the_same_bytes",)),
    Row("training_killed", "SIGKILL of training at random moments", 8,
        "the checkpoint is intact; it resumes"),
    Row("generate_killed", "SIGKILL of `generate` while it writes a video, and at random moments",
        16, "it resumes; the same bytes"),
    Row("reproduce_killed", "SIGKILL of computing `results/` at random moments", 8,
        "it resumes; the same bytes"),
    Row("worker_killed", "SIGKILL of a Ray worker, at five moments of a sweep", 5,
        "it is replaced, its group is computed again; the same bytes",
        ("test_workers_killed_at_five_moments_are_replaced_and_the_bytes_are_the_same",)),
    Row("driver_killed", "SIGKILL of the process that drives a Ray sweep", 1,
        "the next one resumes; the same bytes",
        ("test_when_the_driving_process_is_killed_the_next_goes_on_with_the_same_bytes",)),
    Row("disk_full_rows", "the disk fills up while rows are written", 6,
        "a clear error; finished rows stay; same bytes"),
    Row("disk_full_files", "the disk fills up while a video or a checkpoint is written", 2,
        "a clear error; the old file stays"),
    Row("read_only", "a folder that cannot be written to: store, videos, suite", 3,
        "a clear error"),
    Row("budget", "a memory budget is exceeded: a path, hidden states", 2,
        "a clear error before anything more is computed",
        ("test_a_path_beyond_its_budget_is_refused",
         "test_the_budget_is_kept_and_hooks_go_even_then")),
    Row("two_writers", "two or three processes write to one store, one folder of videos", 2,
        "nothing is lost", ("test_several_writers_lose_nothing",
         "test_sealing_keeps_what_others_wrote_meanwhile")),
    Row("two_generate", "two processes generate into one folder", 1, "every video is complete"),
    Row("rows_damaged", "rows truncated, changed, or replaced by garbage", 8,
        "named, never used, computed again",
        ("test_a_line_cut_short_is_dropped_and_computed_again",
         "test_lines_that_are_no_rows_are_damaged",
         "test_a_changed_row_is_named_never_used_and_set_aside")),
    Row("weights_damaged", "weights missing, truncated, or without a tensor", 8, "a clear error",
        ("test_a_harmed_weight_file_is_refused",
         "test_a_weight_file_that_lacks_a_tensor_is_refused")),
    Row("weights_gap",
        "a text encoder without a tensor, which transformers would fill with random numbers", 1,
        "a clear error"),
    Row("weights_shape", "weights of another shape, in each component", 3, "a clear error"),
    Row("weights_pickled", "a .bin checkpoint; a pickle named .safetensors", 6,
        "refused, never opened", ("test_a_pickled_checkpoint_is_refused_and_never_opened",)),
    Row("checkpoint_damaged",
        "`train --resume` on a checkpoint that is empty, truncated, garbage, of another model", 5,
        "a clear error"),
    Row("foreign_rows", "a store with rows of another model, schedule, size and code version", 4,
        "never mixed"),
    Row("parameters", "a notebook's parameter mistyped, missing, of a wrong type, out of range", 10,
        "a clear error"),
    Row("parameter_files",
        "params.yaml and claims.yaml that are not YAML, empty, a list, or lack a section", 14,
        "a clear error"),
    Row("unknown_names", "an unknown task, preset, suite, model, device, dtype, scale, experiment",
        9, "a clear error", ("test_unknown_names_are_refused_with_what_was_expected",
         "test_bad_input_is_one_clear_sentence")),
    Row("unknown_cells", "a step, frame or layer that does not exist", 8, "a clear error"),
    Row("no_benchmark",
        "a benchmark folder that is missing, empty, of another layout, or incomplete", 10,
        "a clear error", ("test_a_folder_that_is_no_suite_is_refused",
         "test_a_sample_that_lacks_what_a_model_needs_is_named",
         "test_a_folder_out_of_place_is_named")),
    Row("odd_export", "`export-suite` with 0, 1, 4, 6 frames; sides of 8 and 50 pixels", 6,
        "a clear error"),
    Row("odd_sizes", "frames and clips of odd sides and lengths", 14,
        "rounded to what the codec takes, or a clear error", ("test_odd_sizes_are_refused",
         "test_numbers_of_frames_that_the_codec_would_cut_are_refused",
         "test_odd_sides_are_refused", "test_frames_are_rounded_up_to_what_the_codec_takes")),
    Row("first_frames", "first frames of 1 x 1 to 33 x 1001 pixels", 5,
        "sides become multiples of 16, at least 16"),
    Row("no_video", "a ground truth that cannot be decoded, is empty or truncated", 5,
        "a clear error",
        ("test_a_file_that_is_no_video_is_named", "test_a_truncated_file_is_named")),
    Row("prompts", "a prompt that is empty, very long, in another script, with odd characters", 5,
        "it runs; text beyond the maximum length is cut, as in stock diffusers"),
    Row("nan", "NaN or infinity in the weights, the latents", 3,
        "a clear error at the step where it appears; no row"),
    Row("no_gpu", "`--device cuda` without a GPU, with one out of range; an unknown device", 3,
        "a clear error"),
    Row("gpu_full", "a GPU out of memory (its error, raised on purpose)", 1,
        "a clear error; clips are processed one at a time, so there is no smaller batch to try"),
    Row("no_network", "commands without a network; a missing model is not searched for online", 6,
        "they run; a clear error", ("test_nothing_asks_the_network",
         "test_a_missing_model_is_not_looked_for_in_the_network")),
    Row("stopped", "Ctrl-C", 1, "a clear message, exit code 130; finished work is kept"),
    Row("debug", "`--debug` before or after the command; a bug", 3,
        "the traceback, and only then"),
]  # fmt: skip


def table() -> str:
    """The table as Markdown."""
    lines = ["| what is tried | times | what happens |", "|---|---|---|"]
    return (
        "\n".join(lines + [f"| {row.tried} | {row.times} | {row.happens} |" for row in ROWS]) + "\n"
    )


CHECKS: dict[str, Callable] = {}


def check(test: Callable) -> Callable:
    CHECKS[test.__name__] = test
    return test


def tiny_model() -> VideoModel:
    return VideoModel(tiny.mini_like(), fixed=True)


def one_sentence(capfd, *parts: str) -> str:
    """The single line on standard error, which is not a traceback."""
    said = capfd.readouterr().err
    lines = [
        line for line in re.split(r"[\r\n]", said) if re.search(r"(chain-of-steps|\bx): ", line)
    ]
    assert len(lines) == 1 and "Traceback" not in said, said
    assert all(part in lines[0] for part in parts), lines[0]
    return lines[0]
