"""What scripts/benchmark.py is made of: cases, contenders, turns, and the page that shows them."""
