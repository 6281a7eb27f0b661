-- +goose Up
ALTER TABLE timeline ADD COLUMN operator text NOT NULL DEFAULT ''; -- whose doing it is; empty: the customer's, or nobody's
ALTER TABLE timeline ADD COLUMN why text NOT NULL DEFAULT '';      -- in their words
