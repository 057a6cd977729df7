"""What every package rests on: files, errors, video bytes."""
