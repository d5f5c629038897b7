"""What stays of every layer, as JSON."""

from mini_exp.pruning.selection_file import parsed_selection, selection_bytes

to_bytes = selection_bytes
from_bytes = parsed_selection
