"""A thumbnail of one image: `thumbnail.py FILE` writes FILE.jpg here and prints its name."""

import pathlib
import sys

from PIL import Image, ImageOps

SIDE_PIXELS = 256


def main() -> None:
    """Write the thumbnail beside the program, and tell the worker so; what is no image fails."""
    path = pathlib.Path(sys.argv[1])
    output = pathlib.Path(f"{path.name}.jpg")
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
        upright.thumbnail((SIDE_PIXELS, SIDE_PIXELS))
        upright.convert("RGB").save(output, quality=85)
    print(output)


if __name__ == "__main__":
    main()
