"""The experiments, one file per figure: which runs there are, and what is read off each of them."""
