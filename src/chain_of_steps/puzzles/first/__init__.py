"""The first edition's puzzles; they leave when its rows do."""
