"""The control plane: what the Lambda functions of `app.py` do."""
