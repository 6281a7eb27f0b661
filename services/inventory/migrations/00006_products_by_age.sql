-- +goose NO TRANSACTION
-- +goose Up
-- The latest has the lowest key, so that a page always goes up.
DROP INDEX CONCURRENTLY IF EXISTS products_by_age;
CREATE INDEX CONCURRENTLY products_by_age ON products ((lpad((99999999999 - extract(epoch FROM created_at AT TIME ZONE 'UTC')::bigint)::text, 11, '0')) COLLATE "C", sku COLLATE "C");
