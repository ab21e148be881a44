"""Properties have no deadline: no test asserts on wall-clock time."""

from hypothesis import settings

settings.register_profile("segue", deadline=None)
settings.load_profile("segue")
