-- +goose Up
-- A retired product is not sold any more. The release before does not know it: it lists such a product, and announces it without
-- this when an operator changes it there.
ALTER TABLE products ADD COLUMN retired boolean NOT NULL DEFAULT false;
