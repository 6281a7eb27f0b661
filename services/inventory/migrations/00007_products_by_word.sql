-- +goose NO TRANSACTION
-- +goose Up
-- The words of name and SKU in small letters, of any alphabet whatever the locale of the database.
DROP INDEX CONCURRENTLY IF EXISTS products_by_word;
CREATE INDEX CONCURRENTLY products_by_word ON products USING gin (array_to_tsvector(array_remove(regexp_split_to_array(lower((name || ' ' || sku) COLLATE "und-x-icu"), '[^[:alnum:]]+'), '')));
