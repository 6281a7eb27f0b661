-- +goose NO TRANSACTION
-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS products_by_price_falling;
CREATE INDEX CONCURRENTLY products_by_price_falling ON products ((price_currency || lpad((999999999999999999 - price_amount)::text, 18, '0')) COLLATE "C", sku COLLATE "C");
