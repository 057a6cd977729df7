"""The parts of the site; `../pages.py` puts them together."""
