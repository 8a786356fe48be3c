"""What runs on a laptop: thin commands over the HTTP API and S3."""
