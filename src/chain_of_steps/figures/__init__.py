"""One folder a figure: which runs, what is read off them, how it is drawn."""
