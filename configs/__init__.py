"""One experiment per file; `get_config(variant)` returns its settings."""
