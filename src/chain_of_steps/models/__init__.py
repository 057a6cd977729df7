"""Video models of diffusers, seen as a velocity field that can be evaluated at any step."""
