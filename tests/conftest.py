"""Settings for all tests."""

from hypothesis import settings

# No test asserts a time, so a busy machine must not fail a generated case either.
settings.register_profile("convcalc", deadline=None)
settings.load_profile("convcalc")
