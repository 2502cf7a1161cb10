"""Amazon Glacier."""
