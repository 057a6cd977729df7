"""What every other package uses: files, errors, video files."""
