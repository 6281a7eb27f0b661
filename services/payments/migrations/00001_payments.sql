-- +goose Up
CREATE TABLE payments (
	order_id   uuid        PRIMARY KEY, -- one payment an order; also the provider's idempotency key
	amount     bigint      NOT NULL,    -- minor units
	currency   text        NOT NULL,
	method     text        NOT NULL,    -- the provider's token for a card
	status     text        NOT NULL,
	code       text        NOT NULL DEFAULT '', -- the provider's word for why it declined
	charge_id  text        NOT NULL DEFAULT '', -- the provider's
	refund_id  text        NOT NULL DEFAULT '', -- likewise
	due_at     timestamptz,                     -- when a worker should see to it; null when it is settled
	attempts   integer     NOT NULL DEFAULT 0,  -- claims in this status
	asked_at   timestamptz,                     -- when the provider may last have been asked to charge (or refund); null: never
	trouble    text        NOT NULL DEFAULT '', -- what the last attempt ended with
	origin     jsonb       NOT NULL,            -- the command that is being seen to: cause and trace of what the worker sends
	created_at timestamptz NOT NULL,
	updated_at timestamptz NOT NULL,            -- of the status

	-- Only a refund that came before its payment does not know how much it is about.
	CHECK (amount > 0 OR (amount = 0 AND status = 'withdrawn')),
	-- What is not settled is due at some time: no payment can be forgotten.
	CHECK ((due_at IS NULL) = (status IN ('taken', 'declined', 'withdrawn', 'refunded'))),
	-- It must be looked for at the provider before it is given up.
	CHECK (status <> 'withdrawing' OR asked_at IS NOT NULL)
);

CREATE INDEX payments_due ON payments (due_at) WHERE due_at IS NOT NULL;
