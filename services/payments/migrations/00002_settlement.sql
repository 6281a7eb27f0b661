-- +goose Up
-- An operator's word that the customer has what is theirs, of a payment that the provider does not settle.
ALTER TABLE payments ADD COLUMN settled_by text NOT NULL DEFAULT '';
ALTER TABLE payments ADD COLUMN settled_why text NOT NULL DEFAULT '';
ALTER TABLE payments ADD COLUMN settled_at timestamptz; -- null: nobody had to
