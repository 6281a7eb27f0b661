-- +goose NO TRANSACTION
-- +goose Up
-- What expires is found by this index, the oldest first (pkg/postgres/expire.go). The BRIN index is of no use once the places of
-- deleted keys have been filled again: then all of the table looks old, and is read every ten minutes to delete nothing. This
-- index takes 21 MB for a million keys, beside 400 MB of table. Partitions by day, like the inbox's, are not possible: a key is
-- unique over all days, and a partitioned table can promise that only of keys that have the day in them.
DROP INDEX CONCURRENTLY IF EXISTS idempotency_keys_by_age;
CREATE INDEX CONCURRENTLY idempotency_keys_by_age ON idempotency_keys (created_at);
