-- +goose NO TRANSACTION
-- +goose Up
-- Before each deed it is looked up whether it was written down before. Rows stay for ever, so without an index that takes longer
-- with each of them: half a second when there were a million, while all who look at dead letters wait. Partitions would not help, as
-- nothing is ever dropped.
DROP INDEX CONCURRENTLY IF EXISTS dead_letter_audit_by_message;
CREATE INDEX CONCURRENTLY dead_letter_audit_by_message ON dead_letter_audit (message_id);
