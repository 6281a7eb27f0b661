-- +goose NO TRANSACTION
-- +goose Up
-- What is under way is counted by its deadlines now. Each change of a status was a change of this index.
DROP INDEX CONCURRENTLY IF EXISTS orders_under_way;
