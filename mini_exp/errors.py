"""The errors that a user can cause or mend; each message is one line."""


class MiniExpError(Exception):
    """Base of every error that mini-exp raises on purpose."""


class ConfigError(MiniExpError):
    """The experiment file or an option is wrong; nothing was written."""


class ArtifactError(MiniExpError):
    """A file under the results directory is missing, damaged, stale or cannot be written."""


class ShapeError(MiniExpError):
    """An array has the wrong shape."""


class DomainError(MiniExpError):
    """A number lies outside the domain of the formula."""


class TrainingError(MiniExpError):
    """Training did not give a usable network."""


class NetworkError(MiniExpError):
    """A network cannot be pruned: it holds something that the method does not cover."""
