"""What training may teach: each objective is one loss of a step."""
