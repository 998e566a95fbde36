"""The web page: a thin face over the stages, on this machine only."""
