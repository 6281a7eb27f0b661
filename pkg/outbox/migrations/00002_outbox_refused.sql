-- +goose NO TRANSACTION
-- +goose Up
-- Found without a look at all the others.
DROP INDEX CONCURRENTLY IF EXISTS outbox_refused;
CREATE INDEX CONCURRENTLY outbox_refused ON outbox (id) WHERE attempts > 0;
