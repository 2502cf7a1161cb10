"""A YAML file in; immutable settings, or every problem with its line, out.

Offers: `advice`, `checks`, `credentials`, `document`, `durations`, `example`, `field_types`, `file_changes`,
`key_definition`, `load`, `problems`, `reload`, `resolve`, `schema`, `secret_checks`, `settings`,
`sharding`, `target_sections`, `validate`.
"""
