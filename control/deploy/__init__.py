"""From this checkout to a running stack, on AWS or on whatever endpoint the AWS settings name."""
