-- +goose Up
-- Of what is available, what is kept for reservations that wait. The release before does not know it: it may take what is
-- kept, so there is no constraint, and whoever reads it takes no more for kept than there is and is wanted.
ALTER TABLE products ADD COLUMN kept bigint NOT NULL DEFAULT 0;
