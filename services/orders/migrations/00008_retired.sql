-- +goose Up
-- Inventory does not sell the product any more, and no new order can have it. The release before does not know this: it accepts
-- orders of the product, and keeps the product without it when it is the one that gets the event.
ALTER TABLE catalogue ADD COLUMN retired boolean NOT NULL DEFAULT false;
