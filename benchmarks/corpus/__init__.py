"""A corpus of small video files of every kind, whose pictures carry their number, for testing video readers."""
