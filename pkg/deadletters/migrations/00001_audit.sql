-- +goose Up
-- What operators did with dead letters. A row is written before the deed, so that none goes without.
CREATE TABLE dead_letter_audit (
	id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at         timestamptz NOT NULL DEFAULT now(),
	operator   text        NOT NULL,
	action     text        NOT NULL CHECK (action IN ('replay', 'discard')),
	why        text        NOT NULL,
	queue      text        NOT NULL,
	message_id text        NOT NULL,
	kind       text        NOT NULL,
	reason     text        NOT NULL, -- why it was dead
	error      text        NOT NULL,
	body       bytea       NOT NULL  -- all of it: what is discarded can still be read
);
