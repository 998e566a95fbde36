"""Data sets in the forms other people's tools read: ImageFolder and WebDataset.

`export.export` is the stage, `config.ExportConfig` its options.
"""
