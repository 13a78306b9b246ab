"""Many listeners at once: n paced streams. The figures are those of bench.latency, over all streams."""

from __future__ import annotations

from bench.latency import measure
from bench.report import parser


def main() -> None:
    """Run it."""
    options = parser(__doc__ or "")
    options.add_argument("--streams", type=int, default=8, help="live streams at once (default: 8)")
    given = options.parse_args()
    measure("load", given, given.streams)


if __name__ == "__main__":
    main()
