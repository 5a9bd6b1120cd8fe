"""Data sets: the only code that uses TensorFlow."""

import os

# TensorFlow prints notes about its CPU kernels at import; none of them is about us.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
