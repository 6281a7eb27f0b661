-- +goose Up
-- The column was called trouble. Programs of the release before this one still write that, so it stays until the next release. Each
-- release reads its own: an error of the last attempt that the other one has written is shown after the next attempt.
ALTER TABLE shipments ADD COLUMN last_error text NOT NULL DEFAULT ''; -- of the last attempt
