"""Random interleavings of all that can befall a fleet, and what must hold throughout."""

import hypothesis

# By the environment's HYPOTHESIS_PROFILE, which conftest.py reads before any test is imported.
THOROUGH = hypothesis.settings().max_examples >= 1000
