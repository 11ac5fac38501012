"""libhdf5 can print its stack of errors; the engine has none, so these change nothing."""


def silence_errors():
    """Nothing is printed by the engine."""


def unsilence_errors():
    """Nothing is printed by the engine; an error says everything it knows."""
