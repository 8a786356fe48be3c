"""Random interleavings of all that can befall a fleet, and what must hold throughout."""
