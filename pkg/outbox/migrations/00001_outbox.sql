-- +goose Up
CREATE TABLE outbox (
	id           uuid        PRIMARY KEY, -- of the message; UUIDv7, so that rows of one moment lie together
	exchange     text        NOT NULL,
	mandatory    boolean     NOT NULL,
	kind         text        NOT NULL,
	subject      text        NOT NULL,
	causation_id text        NOT NULL,
	trace_parent text        NOT NULL,
	trace_state  text        NOT NULL,
	body         json        NOT NULL, -- not jsonb: it is sent as it was written
	created_at   timestamptz NOT NULL DEFAULT now(),
	due_at       timestamptz NOT NULL DEFAULT now(),
	attempts     integer     NOT NULL DEFAULT 0,
	last_error   text        NOT NULL DEFAULT ''
);

CREATE INDEX outbox_due ON outbox (due_at, id);

-- Rows live for milliseconds: vacuum by their number, not by their share of a table that is nearly always empty.
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
