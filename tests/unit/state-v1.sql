-- A state file of version 1, as the exporter of that time wrote it.
PRAGMA application_id = 1297110321;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE buckets (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, settings TEXT, notes TEXT);
INSERT INTO "buckets" VALUES(1,'["prod", "s3", "https://s3.example.com", "-", "media"]','','{"result": {"summary": {"uploads": 6, "undated": 0, "unsized": 6, "empty": null, "parts": null, "bytes": null, "stale": 0, "stale_bytes": null, "oldest_initiated": 1790000000.0, "oldest_activity": 1790000000.0, "age_counts": [], "age_sum": 0.0, "bytes_by_class": [], "parts_known": true, "overdue": 0}, "finished": 1790000006.0, "duration": 1.0, "trouble": ""}, "gone": [], "refused_at": 1790000000.0, "refusal": "no", "probes": 0, "refusals": 0}');
CREATE TABLE salt (bytes BLOB NOT NULL);
INSERT INTO "salt" VALUES(X'5C5F3AD9F3C0300225132A1541D57476');
CREATE TABLE uploads (
    bucket INTEGER NOT NULL,
    id INTEGER NOT NULL,
    asked REAL NOT NULL,
    activity REAL NOT NULL,
    dated INTEGER NOT NULL,
    parts INTEGER,
    bytes INTEGER,
    class TEXT,
    failed REAL,
    run INTEGER,
    run_bytes INTEGER,
    read REAL,
    PRIMARY KEY (bucket, id)
) WITHOUT ROWID;
INSERT INTO "uploads" VALUES(1,-8817850205605775504,1790000005.0,1790000005.0,1,5,5000,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "uploads" VALUES(1,-6836147344627176030,1790000001.0,1790000001.0,1,1,1000,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "uploads" VALUES(1,-3319673106536565650,1790000003.0,1790000003.0,1,3,3000,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "uploads" VALUES(1,-3077010567377115755,1790000000.0,1790000000.0,1,0,0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "uploads" VALUES(1,2496092492570785193,1790000004.0,1790000004.0,1,4,4000,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "uploads" VALUES(1,4407424227918764702,1790000002.0,1790000002.0,1,2,2000,NULL,NULL,NULL,NULL,NULL);
COMMIT;
