"""The mini world: puzzles with exact answers, drawn, read and scored. numpy only, no torch."""
