-- +goose NO TRANSACTION
-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS products_by_name;
CREATE INDEX CONCURRENTLY products_by_name ON products ((lower(name)) COLLATE "C", sku COLLATE "C");
