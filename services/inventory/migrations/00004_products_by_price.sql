-- +goose NO TRANSACTION
-- +goose Up
-- Amounts in different currencies cannot be compared: each currency for itself.
DROP INDEX CONCURRENTLY IF EXISTS products_by_price;
CREATE INDEX CONCURRENTLY products_by_price ON products ((price_currency || lpad(price_amount::text, 18, '0')) COLLATE "C", sku COLLATE "C");
