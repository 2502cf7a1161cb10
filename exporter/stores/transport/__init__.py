"""HTTP over libcurl: a signed request in, a Response or StoreError out.

`client.Transport` owns deadlines to the last byte, the limit of bodies, trusted CAs, proxy, connections and
the count of requests; `multi` sends many requests at once from one thread. `memory` has the budgets of what
all answers together may take; for these `waiting` pauses transfers.
"""
