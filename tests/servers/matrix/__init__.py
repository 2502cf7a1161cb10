"""The matrix: one exporter before every server that can be run, and its numbers against a record of our own.

`declaration` says what a server is and what it cannot do, `recipes` are the servers, `record` makes uploads
and knows the truth, `exporter` and `running` run the exporter and read what it says, `verdict` compares the
two, `cells` are the tests, and `table` writes the declarations into docs/stores.md.
"""
