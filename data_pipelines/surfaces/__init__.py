"""Made of a surface: pictures, points, an inside, view volumes; and its checks."""
