"""aws-parallelizer: one command over many files, on EC2 spot instances."""

__version__ = "0.1.0"
