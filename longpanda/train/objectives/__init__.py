"""Training objectives, each of which is one loss of a step."""
