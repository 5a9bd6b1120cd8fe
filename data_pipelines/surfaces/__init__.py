"""Made of a surface: images, points, an inside, view volumes; and its checks."""
