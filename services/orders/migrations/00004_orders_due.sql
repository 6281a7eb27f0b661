-- +goose NO TRANSACTION
-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS orders_due;
CREATE INDEX CONCURRENTLY orders_due ON orders (due_at) WHERE due_at IS NOT NULL;
