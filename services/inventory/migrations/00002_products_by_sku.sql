-- +goose NO TRANSACTION
-- +goose Up
-- A page of a list is read in the order of an index. These sort by bytes, which no upgrade of the system's libraries changes.
DROP INDEX CONCURRENTLY IF EXISTS products_by_sku;
CREATE INDEX CONCURRENTLY products_by_sku ON products (sku COLLATE "C");
