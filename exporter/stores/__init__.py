"""S3, OBS, Glacier: pages in, uploads and part totals out."""
