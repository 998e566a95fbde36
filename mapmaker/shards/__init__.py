"""Kept pictures become samples: crops on the grid, their symmetries, HDF5 shards with a card.

`pack.pack` is the stage, `config.PackConfig` its options, `reader.open_shards` reads the result,
`contact.contact_sheet` shows it.
"""
