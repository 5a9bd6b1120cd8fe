"""What the sources of several data sets share."""
