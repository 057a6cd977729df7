"""One folder per figure: its runs, the analysis of their rows, and the plots."""
