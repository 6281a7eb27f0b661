-- +goose NO TRANSACTION
-- +goose Up
-- For operators who look for delivered or cancelled orders, newest first. An order gets one entry, at its end. Orders under way
-- are found by their deadlines: an entry of theirs would be written anew at each of their changes.
DROP INDEX CONCURRENTLY IF EXISTS orders_ended;
CREATE INDEX CONCURRENTLY orders_ended ON orders (status, id) WHERE status IN ('delivered', 'cancelled');
