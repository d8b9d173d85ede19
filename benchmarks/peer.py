"""The peer, `bioscan-dataset`, on files of any release."""

from __future__ import annotations

from bioscan_dataset import BIOSCAN5M


NOTE = "peer: bioscan-dataset 1.3.0 with its integrity check overridden, because it pins the MD5 of the real CSV"


class Peer(BIOSCAN5M):
    """`BIOSCAN5M` that accepts files with other checksums than the official ones; all else is its own."""

    def _check_integrity(self) -> bool:
        return True
