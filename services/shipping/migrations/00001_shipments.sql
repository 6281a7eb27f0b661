-- +goose Up
CREATE TABLE shipments (
	order_id           uuid        PRIMARY KEY, -- one shipment an order; also the carrier's idempotency key and reference
	address            jsonb       NOT NULL,    -- empty, like lines, when the cancellation came first
	lines              jsonb       NOT NULL,
	status             text        NOT NULL,
	reason             text        NOT NULL DEFAULT '', -- why it failed
	carrier            text        NOT NULL DEFAULT '',
	tracking_number    text        NOT NULL DEFAULT '', -- the carrier's; empty until it is arranged
	estimated_delivery timestamptz,
	stages             jsonb       NOT NULL,               -- in the order in which they were announced
	cancel_wanted      boolean     NOT NULL DEFAULT false, -- the carrier is to call it back, and has not answered yet
	due_at             timestamptz,                        -- when a worker should see to it; null when there is nothing to do
	attempts           integer     NOT NULL DEFAULT 0,     -- claims since the last news
	asked_at           timestamptz,                        -- when the carrier may last have been asked to ship it; null: never, or it has answered
	trouble            text        NOT NULL DEFAULT '',    -- what the last attempt ended with
	origin             jsonb       NOT NULL,               -- the command that is being seen to: cause and trace of what the worker sends
	created_at         timestamptz NOT NULL,
	updated_at         timestamptz NOT NULL,               -- of the last news

	-- What is under way is due at some time: no shipment can be forgotten.
	CHECK ((due_at IS NULL) = (status IN ('delivered', 'failed', 'cancelled') AND NOT cancel_wanted)),
	-- The carrier can be asked about whatever it has taken.
	CHECK (tracking_number <> '' OR status IN ('requested', 'failed', 'cancelled')),
	-- What it was never asked to ship is not called back but simply cancelled.
	CHECK (NOT cancel_wanted OR asked_at IS NOT NULL OR tracking_number <> '')
);

CREATE INDEX shipments_due ON shipments (due_at) WHERE due_at IS NOT NULL;
