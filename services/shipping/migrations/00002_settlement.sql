-- +goose Up
-- An operator's word for what has become of a parcel that the carrier cannot account for.
ALTER TABLE shipments ADD COLUMN settled_by text NOT NULL DEFAULT '';
ALTER TABLE shipments ADD COLUMN settled_why text NOT NULL DEFAULT '';
ALTER TABLE shipments ADD COLUMN settled_at timestamptz; -- null: nobody had to
