"""A saved model and a short film."""

from films import compressed_folder, cut_film, film, holed_film, model_folder, recording, squeezed

__all__ = ["compressed_folder", "cut_film", "film", "holed_film", "model_folder", "recording", "squeezed"]
