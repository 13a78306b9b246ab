"""Benches: print figures, write JSON; no test asserts on them."""
