-- +goose Up
ALTER TABLE timeline ADD COLUMN event text NOT NULL DEFAULT ''; -- what happened, for programs; empty: written by an earlier release
