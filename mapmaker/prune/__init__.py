"""Prune: measure every picture once, suggest what to drop and why, remember what was decided.

`prune.prune` is the stage, `config.PruneConfig` its options, `kept.kept` what the shards read,
`decisions.Decisions` the marks.
"""
