"""Board in, text of /metrics out. The only room with metric names; values are as of each bucket's last scan.

Offers: `buckets`, `exporter`, `exposition`, `targets`.
"""
