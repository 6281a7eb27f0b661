-- +goose NO TRANSACTION
-- +goose Up
-- For operators who have only the end of an id, which is what pages show. It is an index of the first entry of each timeline,
-- because that is written once. An index of orders gets an entry at each change of an order.
DROP INDEX CONCURRENTLY IF EXISTS orders_by_end_of_id;
CREATE INDEX CONCURRENTLY orders_by_end_of_id ON timeline (right(order_id::text, 8)) WHERE seq = 1;
