"""`make bench`: the worker beside its peers, on the same files, in one run."""
