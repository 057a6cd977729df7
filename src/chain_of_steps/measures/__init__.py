"""What is measured on samples, states and rows, with intervals."""
