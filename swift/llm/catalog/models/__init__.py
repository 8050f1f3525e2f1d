"""Model rows by vendor; every module-level `ModelFamily` is one family."""
