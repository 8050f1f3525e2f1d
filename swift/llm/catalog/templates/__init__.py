"""Chat formats by family; every module-level `TemplateRow` is one row."""
