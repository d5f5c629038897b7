"""A network and samples of your own: a function that makes the network, a folder or array files."""
