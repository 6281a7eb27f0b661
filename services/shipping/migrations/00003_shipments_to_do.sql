-- +goose NO TRANSACTION
-- +goose Up
-- What needs a call of its own is found without passing by all that is only followed. shipments_due serves the tracker.
DROP INDEX CONCURRENTLY IF EXISTS shipments_to_do;
CREATE INDEX CONCURRENTLY shipments_to_do ON shipments (due_at) WHERE due_at IS NOT NULL AND (tracking_number = '' OR cancel_wanted);
