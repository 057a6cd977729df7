"""The figures on the new world; they replace those of the folder above."""
