"""The local cloud: the same stack on one machine, with an EC2 whose instances are processes."""
