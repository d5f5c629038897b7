"""Parameters and buffers of a network, as safetensors."""

from mini_exp.pruning.saving import parsed_state, state_bytes

to_bytes = state_bytes
from_bytes = parsed_state
