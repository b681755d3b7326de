"""What a run writes down of itself while it trains."""
