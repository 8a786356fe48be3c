"""What runs on an instance: lease files from the queue, run the user's program on each, store what
it made.
"""
