"""The denoising loop, what intervenes in it, and what is made of several generations."""
