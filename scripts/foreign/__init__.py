"""Networks that nobody in this project made, pruned: `python -m scripts.foreign FOLDER`."""
