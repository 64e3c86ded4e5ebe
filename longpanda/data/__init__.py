"""Annotated images and videos: from annotation files to training examples."""
