"""Numbers out of range: the scripts behind `make reproduce` answer as `chain-of-steps` does."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import reproduce  # noqa: E402
import reproduce_model  # noqa: E402

WHOLE = "expected a whole number from 1 to 2^63 - 1"
HOW_LONG = "expected a duration above 0, such as 90s, 120m or 2h"
MANY = ("0", "-1", "1.5", "many", "", str(2**63), "1_000")


@pytest.mark.parametrize(
    ("tool", "option", "values", "expected"),
    [
        ("reproduce", "--budget", ("-5m", "0s", "soon", "", "10", "infs"), HOW_LONG),
        ("reproduce_model", "--size", MANY, WHOLE),
        ("reproduce_model", "--frames", MANY, WHOLE),
        ("reproduce_model", "--hours", ("0", "-1", "nan", "inf", ""), "expected a number above 0"),
    ],
)
def test_numbers_out_of_range_are_one_sentence(tool, option, values, expected, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"tools/{tool}.py"])
    script = {"reproduce": reproduce, "reproduce_model": reproduce_model}[tool]
    needed = ["--model", "x"] if tool == "reproduce_model" else []
    for value in values:
        arguments = [*needed, f"{option}={value}"]
        monkeypatch.setattr(sys, "argv", [f"tools/{tool}.py", *arguments])
        with pytest.raises(SystemExit) as ended:
            script.main()
        assert ended.value.code == 2
        assert capsys.readouterr().err == f"{tool}: {option} is {value!r}; {expected}\n"


def test_other_wrong_arguments_are_one_sentence_too(monkeypatch, capsys):
    for arguments, said in (
        (["--bugdet=8m"], "unrecognized arguments: --bugdet=8m"),
        (["--budg=8m"], "unrecognized arguments: --budg=8m"),
        (["--executor", "slurm"], "--executor invalid choice: 'slurm'"),
    ):
        monkeypatch.setattr(sys, "argv", ["tools/reproduce.py", *arguments])
        with pytest.raises(SystemExit) as ended:
            reproduce.main()
        (line,) = capsys.readouterr().err.splitlines()
        assert ended.value.code == 2 and line.startswith(f"reproduce: {said}")


def test_make_passes_negative_numbers_on_as_values():
    """`--budget -5m` would be read as two options."""
    command = ["make", "-n", "-B", "reproduce", "BUDGET=-5m"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    assert '--budget="-5m"' in said
    said = subprocess.run(
        [*command, "MODEL=x", "SIZE=-1"], cwd=ROOT, capture_output=True, text=True
    )
    assert '--size="-1"' in said.stdout
