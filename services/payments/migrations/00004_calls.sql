-- +goose Up
-- The last calls of the provider, with their outcomes, for people who want to know what happened. Null: there were none, or the release
-- before this one has made them.
ALTER TABLE payments ADD COLUMN calls jsonb;
