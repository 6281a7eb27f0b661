-- +goose Up
CREATE TABLE inbox (
	id          uuid        PRIMARY KEY, -- of a message whose effects are committed
	received_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX inbox_received ON inbox USING brin (received_at);
