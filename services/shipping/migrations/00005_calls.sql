-- +goose Up
-- The last calls of the carrier about this shipment alone, as in payments.
ALTER TABLE shipments ADD COLUMN calls jsonb;
