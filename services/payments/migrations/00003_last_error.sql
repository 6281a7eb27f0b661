-- +goose Up
-- The column was called trouble. Programs of the release before this one still write that, so it stays until the next release;
-- each release reads its own, and either is only shown to people, and allows an operator to settle.
ALTER TABLE payments
	ADD COLUMN last_error text NOT NULL DEFAULT ''; -- of the last attempt

UPDATE payments
SET last_error = trouble
WHERE trouble <> '';
