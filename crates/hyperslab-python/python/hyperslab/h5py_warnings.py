"""Categories of warnings."""


class H5pyWarning(UserWarning):
    """A warning of this package."""


class H5pyDeprecationWarning(H5pyWarning):
    """Something that will go away."""
