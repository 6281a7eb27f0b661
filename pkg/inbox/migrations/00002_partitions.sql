-- +goose Up
-- The inbox forgets by dropping partitions and not by deleting rows (docs/adr/0035). Ids are UUIDv7: they begin with the time
-- at which they were made, so that ranges of ids are days. What there is becomes the first partition, with all ids up to the
-- end of tomorrow; the program makes the days after that (pkg/inbox/partitions.go). The release before goes on with its
-- INSERT as it is. All writers wait while the first partition is read once: about a tenth of a second for a million rows.
-- shown: pkg/inbox TestATableWithRowsBecomesTheFirstPartitionWhileTheReleaseBeforeWritesToIt
-- shown: pkg/inbox TestTheReleaseBeforeDeletesNothingThatIsRemembered
LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE;
ALTER TABLE inbox RENAME TO inbox_first;
ALTER INDEX inbox_pkey RENAME TO inbox_first_pkey;
ALTER INDEX inbox_received RENAME TO inbox_first_received;

CREATE TABLE inbox (
	id          uuid        PRIMARY KEY, -- of a message whose effects are committed
	received_at timestamptz NOT NULL DEFAULT now()
) PARTITION BY RANGE (id);

CREATE INDEX inbox_received ON inbox USING brin (received_at) WITH (autosummarize = on);

-- For ids that are no UUIDv7, or of a day that has no partition.
CREATE TABLE inbox_default PARTITION OF inbox DEFAULT;
CREATE INDEX inbox_default_by_age ON inbox_default (received_at); -- rows are deleted here (pkg/postgres/expire.go)

-- An id of a clock that is more than a day ahead, or none of ours. The first id of the day after tomorrow is the number of
-- its milliseconds in twelve hexadecimal digits, and zeros.
WITH strays AS (
	DELETE FROM inbox_first
	WHERE id >= rpad(lpad(to_hex(extract(epoch FROM date_trunc('day', now() AT TIME ZONE 'UTC') + interval '2 days')::bigint * 1000), 12, '0'), 32, '0')::uuid
	RETURNING id, received_at)
INSERT INTO inbox_default (id, received_at)
SELECT id, received_at
FROM strays;

ALTER TABLE inbox ATTACH PARTITION inbox_first FOR VALUES FROM (MINVALUE)
	TO (rpad(lpad(to_hex(extract(epoch FROM date_trunc('day', now() AT TIME ZONE 'UTC') + interval '2 days')::bigint * 1000), 12, '0'), 32, '0')::uuid);

-- The release before deletes what is old by ctid, the place of a row in its partition. Another partition has another row at
-- the same place, which may be of today. Rows that are remembered cannot be deleted, then, by whatever statement, but by the
-- transaction that has inserted them: that takes back what it refuses.
CREATE FUNCTION inbox_remembers() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER inbox_remembers BEFORE DELETE ON inbox FOR EACH ROW WHEN (OLD.received_at >= now() - interval '7 days' AND OLD.received_at <> now()) EXECUTE FUNCTION inbox_remembers();
