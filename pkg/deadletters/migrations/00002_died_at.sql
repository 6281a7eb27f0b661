-- +goose Up
-- When the message died. It tells a deed that is done again because it was interrupted, or got no answer, from one about a
-- message that has died again; the first is not written down twice.
ALTER TABLE dead_letter_audit ADD COLUMN died_at timestamptz; -- null: not known
