"""The page loop that all stores share: where a listing goes on, what repeats, when it has ended."""
