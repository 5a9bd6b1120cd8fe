"""One image, with or without depth, in; a triangle mesh out."""
