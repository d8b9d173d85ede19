"""Models of BIOSCAN-5M; importing this package registers their Auto classes (none yet)."""
