"""Front ends of the visual path: frames and their times to tokens of each frame on a grid."""
