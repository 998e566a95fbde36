"""The store of small pictures: what goes in comes out, and survives being closed."""

from pathlib import Path

from mapmaker.prune.thumbs import ThumbStore


def test_thumbs_come_back_by_id(tmp_path: Path) -> None:
    """A thumbnail put in is there after reopening; one of a broken picture never is."""
    with ThumbStore(tmp_path / "thumbs.db") as store:
        store.put_all([("a", b"first"), ("b", b""), ("c", b"third")])
        store.put_all([("a", b"newer")])

    with ThumbStore(tmp_path / "thumbs.db") as store:
        assert (store.get("a"), store.get("b"), store.get("c")) == (b"newer", None, b"third")
        assert ("a" in store, "b" in store, len(store)) == (True, False, 2)
