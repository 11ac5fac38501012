"""libhdf5 can print its stack of errors; the engine has none, so these change nothing."""


class ClosedError(ValueError, RuntimeError):
    """What was asked is closed, or its file is: a ``ValueError``, or as some of h5py's calls have it a ``RuntimeError``."""


def silence_errors():
    """Nothing is printed by the engine."""


def unsilence_errors():
    """Nothing is printed by the engine; an error says everything it knows."""
