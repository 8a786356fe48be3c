"""`python -m aws_parallelizer`: the same command line as `aws-parallelizer`."""

from aws_parallelizer.cli.main import main

if __name__ == "__main__":
    main()
