"""Many listeners at once: n paced streams. The figures are those of bench.latency, over all streams."""

from __future__ import annotations

from bench.latency import measure, options


def main() -> None:
    """Run it."""
    known = options(__doc__ or "")
    known.add_argument("--streams", type=int, default=8, help="live streams at once (default: 8)")
    given = known.parse_args()
    measure("load", given, given.streams)


if __name__ == "__main__":
    main()
